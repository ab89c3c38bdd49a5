"""Schedules: the number of picks in each step of a block (LLaDA's uniform one, Dream's time schedule)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

DREAM_EPSILON = 1e-3


def uniform_counts(masks: int, steps: int) -> list[int]:
    """Return floor(masks / steps) picks per step, one more in the first masks mod steps (LLaDA, arXiv 2502.09992)."""
    share, rest = divmod(masks, steps)
    return [share + (step < rest) for step in range(steps)]


def transfer_rates(steps: int) -> list[float]:
    """Return 1 - t[i+1]/t[i] for t from 1 to 1e-3 in equal steps; the last rate is 1 (Dream, arXiv 2508.15487)."""
    times = [1 + (DREAM_EPSILON - 1) * i / steps for i in range(steps + 1)]
    rates = [1 - after / before for before, after in pairwise(times)]
    return [*rates[:-1], 1.0]


def dream_counts(masks: int, steps: int) -> list[int]:
    """Return int(masks · rate) picks per step, as in Dream's published sampler (arXiv 2508.15487)."""
    counts = []
    for rate in transfer_rates(steps):
        counts.append(int(masks * rate))
        masks -= counts[-1]
    return counts


def step_counts(schedule: Literal["uniform", "dream"], masks: int, steps: int) -> list[int]:
    """Return the picks of each step of one block; their sum is `masks`. A step of 0 picks costs no forward."""
    return uniform_counts(masks, steps) if schedule == "uniform" else dream_counts(masks, steps)
