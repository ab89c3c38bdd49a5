"""How many picks each step of a block commits (LLaDA's uniform schedule, Dream's time schedule)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

DREAM_EPSILON = 1e-3


def uniform_counts(masks: int, steps: int) -> list[int]:
    """floor(masks / steps) picks in each step, one more in the first masks mod steps (LLaDA, arXiv 2502.09992)."""
    share, rest = divmod(masks, steps)
    return [share + (step < rest) for step in range(steps)]


def transfer_rates(steps: int) -> list[float]:
    """1 - t[i+1]/t[i] for t from 1 to 1e-3 in equal strides; the last step takes all that is left (Dream)."""
    times = [1 + (DREAM_EPSILON - 1) * i / steps for i in range(steps + 1)]
    rates = [1 - after / before for before, after in pairwise(times)]
    return [*rates[:-1], 1.0]


def dream_counts(masks: int, steps: int) -> list[int]:
    """int(masks · rate) picks in each step (Dream, arXiv 2508.15487, its published sampler)."""
    counts = []
    for rate in transfer_rates(steps):
        counts.append(int(masks * rate))
        masks -= counts[-1]
    return counts


def step_counts(schedule: Literal["uniform", "dream"], masks: int, steps: int) -> list[int]:
    """Picks per step of one block; they add up to `masks`. A step of 0 picks costs no forward in this project."""
    return uniform_counts(masks, steps) if schedule == "uniform" else dream_counts(masks, steps)
