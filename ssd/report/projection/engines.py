"""What software reaches of a device, each as a pair: the best and the worst that a projection assumes.

Data sheets do not have these numbers. They are assumptions, and docs/when-drafting-pays.md compares them with what is
published.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

Pair = tuple[float, float]


class Efficiency(NamedTuple):
    """One reading of an engine: a choice from each of its pairs.

    matrices, attention: shares of the peak rate of products; memory: share of the peak bandwidth;
    bytes_per_logit: moved to write a logit and to score it; kernels_s: seconds per layer of kernels between the
    products; host_s: seconds per layer in which the host launches kernels, beside the device's work; loop_s: seconds
    per forward outside the model; overlaps: whether memory and arithmetic work at the same time.
    """

    matrices: float
    attention: float
    memory: float
    bytes_per_logit: float
    kernels_s: float
    host_s: float
    loop_s: float
    overlaps: bool


@dataclass(frozen=True)
class Engine:
    """Pairs of an engine; see `Efficiency`.

    context_per_node: whether each node reads a copy of the context; scores_all_rows: whether all rows of a window get
    logits, and not only those of the block.
    """

    bytes_per_logit: Pair
    host_s: Pair
    loop_s: Pair
    context_per_node: bool = False
    scores_all_rows: bool = False
    matrices: Pair = (0.75, 0.45)
    attention: Pair = (0.5, 0.2)
    memory: Pair = (0.85, 0.6)
    kernels_s: Pair = (40e-6, 100e-6)

    def readings(self) -> Iterator[Efficiency]:
        """Yield 16 readings, the best of all first and the worst last.

        Arithmetic, memory, launches and overlap are chosen independently, as a ratio of two forwards need not be
        extreme where both are.
        """
        for arithmetic, memory, launch, overlap in product((0, 1), repeat=4):
            yield Efficiency(
                matrices=self.matrices[arithmetic],
                attention=self.attention[arithmetic],
                memory=self.memory[memory],
                bytes_per_logit=self.bytes_per_logit[memory],
                kernels_s=self.kernels_s[launch],
                host_s=self.host_s[launch],
                loop_s=self.loop_s[launch],
                overlaps=not overlap,
            )


ENGINES = {
    # A replayed graph needs no launches by the host.
    "graph": Engine(bytes_per_logit=(4, 32), host_s=(0, 0), loop_s=(0.2e-3, 1e-3)),
    # About 40 operations a layer in our transformer, each of 5 to 12 µs of the host.
    "eager": Engine(bytes_per_logit=(4, 32), host_s=(0.2e-3, 0.5e-3), loop_s=(0.3e-3, 2e-3)),
    # Published code: more operations a layer, a copy of the cache for each node, float64 scores of all rows.
    "transformers": Engine(
        bytes_per_logit=(4, 64),
        host_s=(0.4e-3, 1.2e-3),
        loop_s=(0.5e-3, 5e-3),
        context_per_node=True,
        scores_all_rows=True,
    ),
}


def engine(name: str) -> Engine:
    """Return the engine of this name. Raises ValueError that lists the known ones."""
    if name not in ENGINES:
        raise ValueError(f"--engine {name}: expected one of {', '.join(ENGINES)}")
    return ENGINES[name]
