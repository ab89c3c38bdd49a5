"""How much a test run tries: `SSD_TEST_EFFORT` is quick, default or long."""

import os
from collections.abc import Iterable, Sequence
from itertools import combinations as combinations_of
from typing import Any

SHARES = {"quick": 0.1, "default": 0.25, "long": 1.0}
EFFORT = os.environ.get("SSD_TEST_EFFORT", "default")
LONG = EFFORT == "long"


def examples(count: int) -> int:
    """Number of examples to try where a long run tries `count`."""
    return max(1, round(count * SHARES[EFFORT]))


def some(items: Iterable[Any], step: int) -> list[Any]:
    """Every item in a long run, else every `step`-th."""
    return list(items)[:: 1 if LONG else step]


def pairwise(combinations: Sequence[tuple[Any, ...]]) -> list[int]:
    """Places of combinations that together hold every pair of values of two axes; all places in a long run.

    Greedy: each chosen combination is the one that holds most pairs which no earlier one holds.
    """
    if LONG:
        return list(range(len(combinations)))
    pairs = [{(i, j, values[i], values[j]) for i, j in _axes(len(values))} for values in combinations]
    missing = set().union(*pairs)
    chosen = []
    while missing:
        best = max(range(len(pairs)), key=lambda place: len(pairs[place] & missing))
        chosen.append(best)
        missing -= pairs[best]
    return sorted(chosen)


def _axes(count: int) -> list[tuple[int, int]]:
    """Every two axes; a single axis beside itself."""
    return list(combinations_of(range(count), 2)) or [(0, 0)]
