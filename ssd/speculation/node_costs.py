"""Costs of forwards by number of nodes: measured on the model's device, or given."""

from __future__ import annotations

import json
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, TypeVar

import torch

Key = TypeVar("Key")
WARM_UPS = 2


@dataclass(frozen=True)
class NodeCosts:
    """Seconds of one forward by its number of nodes, from one node on.

    spanning: the same of a forward that computes later blocks, too; None where no forward can leave these out.
    Raises ValueError unless there are at least two counts, 1 first, in rising order, each with a positive number of
    seconds.
    """

    nodes: tuple[int, ...]
    seconds: tuple[float, ...]
    spanning: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        counts_rise = all(type(count) is int for count in self.nodes) and all(a < b for a, b in pairwise(self.nodes))
        if len(self.nodes) < 2 or self.nodes[0] != 1 or not counts_rise:
            raise ValueError(f"node counts {list(self.nodes)}: expected 1 and at least one more, in rising order")
        for each in (self.seconds, self.spanning or self.seconds):
            timed = all(type(value) in (int, float) and 0 < value < float("inf") for value in each)
            if len(each) != len(self.nodes) or not timed:
                raise ValueError(f"seconds {list(each)}: expected a positive number for each of {list(self.nodes)}")

    @classmethod
    def of_rows(cls, rows: Iterable[Sequence[Any]]) -> NodeCosts:
        """Return the costs of [nodes, seconds] or [nodes, seconds, spanning] rows, all alike.

        Raises ValueError for anything else.
        """
        listed = [tuple(row) for row in rows]
        if {len(row) for row in listed} not in ({2}, {3}):
            raise ValueError(
                f"{listed}: expected pairs of a node count and its seconds, or all with the seconds with later blocks"
            )
        return cls(*zip(*listed, strict=True))

    @classmethod
    def read(cls, file: Path) -> NodeCosts:
        """Return the costs of a JSON file of such rows. Raises ValueError in one line for another file."""
        try:
            return cls.of_rows(json.loads(file.read_text()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{file}: expected JSON as [[1, 0.010], [8, 0.013]] ({error})") from error

    @property
    def rows(self) -> list[list[float]]:
        """The rows of `of_rows`."""
        columns = (self.nodes, self.seconds) if self.spanning is None else (self.nodes, self.seconds, self.spanning)
        return [list(row) for row in zip(*columns, strict=True)]

    def relative(self, nodes: int, spans: bool = False) -> float:
        """Return the cost of a forward over `nodes` states, relative to one state without later blocks.

        It never falls with more nodes. It is linear between the given counts, and beyond the last one as between the
        last two.
        """
        seconds = list(accumulate(self.spanning if spans and self.spanning else self.seconds, max))
        place = min(max(bisect_left(self.nodes, nodes), 1), len(self.nodes) - 1)
        (low, high), (cheap, dear) = self.nodes[place - 1 : place + 1], seconds[place - 1 : place + 1]
        return (cheap + (dear - cheap) * (nodes - low) / (high - low)) / self.seconds[0]


@torch.inference_mode()
def measure(forwards: Mapping[Key, Callable[[], object]], device: torch.device, repeats: int = 9) -> dict[Key, float]:
    """Return the least seconds of every forward, in turns, after two warm-ups and synchronised.

    The least is closest to the true cost, because other work of the machine only adds time.
    """
    seconds: dict[Key, list[float]] = {key: [] for key in forwards}
    for repeat in range(WARM_UPS + repeats):
        for key, forward in forwards.items():
            _finish(device)
            start = time.perf_counter()
            forward()
            _finish(device)
            if repeat >= WARM_UPS:
                seconds[key].append(time.perf_counter() - start)
    return {key: min(measured) for key, measured in seconds.items()}


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
