"""How much a test run tries: HYPOTHESIS_PROFILE (quick, default, long) scales examples, SSD_TEST_LONG=1 tries all.

A quick run tries every value of a parameter, others every pair of values of two parameters.
"""

import os
from collections.abc import Iterable, Sequence
from itertools import combinations as combinations_of
from itertools import product
from typing import Any

from hypothesis import settings

SHARES = {"quick": 0.1, "default": 0.25, "long": 1.0}
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
LONG = os.environ.get("SSD_TEST_LONG") == "1"
STRENGTH = 1 if PROFILE == "quick" else 2
"""Of products of parameters, every value is tried, by default every pair of values."""


def examples(count: int, thinner: int = 1) -> int:
    """Number of examples to try where a long run tries `count`; thinner: divides the number of all other runs."""
    return max(1, round(count * SHARES[PROFILE] / (1 if PROFILE == "long" else thinner)))


def load_profile() -> None:
    """Load hypothesis's profile of this run: the same examples every time, without a database of failures."""
    for name, share in SHARES.items():
        settings.register_profile(name, max_examples=round(100 * share), deadline=None, derandomize=True, database=None)
    settings.load_profile(PROFILE)


def some(items: Iterable[Any], step: int, first: int = 0) -> list[Any]:
    """Every item in a long run, else every `step`-th; first: shifts which, from one case of a test to the next."""
    return list(items) if LONG else list(items)[first % step :: step]


def by_turns(left: Sequence[Any], right: Sequence[Any]) -> list[tuple[Any, Any]]:
    """All pairs in a long run, else every item of both sides once or more, paired by turns."""
    if LONG:
        return list(product(left, right))
    return [(left[turn % len(left)], right[turn % len(right)]) for turn in range(max(len(left), len(right)))]


def covering(combinations: Sequence[tuple[Any, ...]], strength: int = STRENGTH) -> list[int]:
    """Places of combinations that together hold all that `strength` axes combine; all places in a long run.

    Greedy: each chosen combination is the one that holds most of what no earlier one holds.
    """
    if LONG:
        return list(range(len(combinations)))
    held = [
        {(axes, tuple(values[axis] for axis in axes)) for axes in _axes(len(values), strength)}
        for values in combinations
    ]
    missing = set().union(*held)
    chosen = []
    while missing:
        best = max(range(len(held)), key=lambda place: len(held[place] & missing))
        chosen.append(best)
        missing -= held[best]
    return sorted(chosen)


def _axes(count: int, strength: int) -> list[tuple[int, ...]]:
    """Every `strength` axes of that many."""
    return list(combinations_of(range(count), min(strength, count)))
