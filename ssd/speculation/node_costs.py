"""Costs of forwards by number of nodes: measured on the model's device, or given."""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import torch

WARM_UPS = 2


@dataclass(frozen=True)
class NodeCosts:
    """Seconds of one forward by its number of nodes, from one node on.

    Raises ValueError unless there are at least two counts, 1 first, in rising order, each with a positive number of
    seconds.
    """

    nodes: tuple[int, ...]
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        counts_rise = all(type(count) is int for count in self.nodes) and all(a < b for a, b in pairwise(self.nodes))
        if len(self.nodes) < 2 or self.nodes[0] != 1 or not counts_rise:
            raise ValueError(f"node counts {list(self.nodes)}: expected 1 and at least one more, in rising order")
        timed = all(type(value) in (int, float) and 0 < value < float("inf") for value in self.seconds)
        if len(self.seconds) != len(self.nodes) or not timed:
            raise ValueError(f"seconds {list(self.seconds)}: expected a positive number for each of {list(self.nodes)}")

    @classmethod
    def of_pairs(cls, pairs: Iterable[Sequence[Any]]) -> NodeCosts:
        """Return the costs of [nodes, seconds] pairs. Raises ValueError for anything else."""
        listed = [tuple(pair) for pair in pairs]
        if any(len(pair) != 2 for pair in listed):
            raise ValueError(f"{listed}: expected pairs of a node count and its seconds")
        return cls(tuple(count for count, _ in listed), tuple(seconds for _, seconds in listed))

    @classmethod
    def read(cls, file: Path) -> NodeCosts:
        """Return the costs of a JSON file of such pairs. Raises ValueError in one line for another file."""
        try:
            return cls.of_pairs(json.loads(file.read_text()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{file}: expected JSON as [[1, 0.010], [8, 0.013]] ({error})") from error

    @property
    def pairs(self) -> list[list[float]]:
        """The [nodes, seconds] pairs, see `of_pairs`."""
        return [[count, seconds] for count, seconds in zip(self.nodes, self.seconds, strict=True)]

    def relative(self, nodes: int) -> float:
        """Return the cost of a forward over `nodes` states, relative to one state. It never falls with more nodes.

        Linear between the given counts, and beyond the last one as between the last two.
        """
        place = min(max(bisect_left(self.nodes, nodes), 1), len(self.nodes) - 1)
        (low, high), (cheap, dear) = self.nodes[place - 1 : place + 1], self._rising[place - 1 : place + 1]
        return (cheap + (dear - cheap) * (nodes - low) / (high - low)) / self._rising[0]

    @cached_property
    def _rising(self) -> list[float]:
        return list(accumulate(self.seconds, max))


@torch.inference_mode()
def measure(
    forward: Callable[[int], object], nodes: Sequence[int], device: torch.device, repeats: int = 9
) -> NodeCosts:
    """Return the least seconds of `forward(count)` for every count, in turns, after two warm-ups and synchronised.

    The least is closest to the true cost, because other work of the machine only adds time.
    """
    seconds: dict[int, list[float]] = {count: [] for count in nodes}
    for repeat in range(WARM_UPS + repeats):
        for count, measured in seconds.items():
            _finish(device)
            start = time.perf_counter()
            forward(count)
            _finish(device)
            if repeat >= WARM_UPS:
                measured.append(time.perf_counter() - start)
    return NodeCosts(tuple(nodes), tuple(map(min, seconds.values())))


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
