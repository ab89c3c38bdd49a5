"""95 % intervals of paired measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ssd.results.schema import Interval

RESAMPLES = 10_000
BATCH_BYTES = 2**26
"""Most memory of the resamples that are drawn together."""


def ratio_of_sums(reference: Sequence[float], decoder: Sequence[float]) -> Interval:
    """Return sum(reference) / sum(decoder) with its 95 % paired bootstrap percentile interval over prompts.

    Pairs are drawn together, so that what a prompt costs both sides alike cancels. A single pair has no interval.
    """
    columns = np.asarray(reference, dtype=float), np.asarray(decoder, dtype=float)
    low, high = ratio_interval(*columns) if len(reference) > 1 else (None, None)
    return {"ratio": float(columns[0].sum() / columns[1].sum()), "low": low, "high": high}


def ratio_interval(upper: np.ndarray, lower: np.ndarray, resamples: int | None = None) -> tuple[float, float]:
    """Return the interval of sum(upper) / sum(lower), float64 [prompts] each."""

    def ratio(left: np.ndarray, right: np.ndarray, axis: int) -> np.ndarray:
        return left.sum(axis) / right.sum(axis)

    return percentile_interval(ratio, upper, lower, resamples=resamples)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the interval of the mean of float64 [prompts]; a single value is both of its ends."""
    return percentile_interval(np.mean, values) if len(values) > 1 else (float(values[0]), float(values[0]))


def percentile_interval(
    statistic: Callable[..., np.ndarray], *columns: np.ndarray, resamples: int | None = None
) -> tuple[float, float]:
    """Return the 95 % bootstrap percentile interval of a statistic of paired columns [prompts].

    The generator is seeded: the same measurements always give the same interval.
    """
    from scipy.stats import bootstrap

    batch = max(1, BATCH_BYTES // (8 * len(columns[0])))
    found = bootstrap(
        columns,
        statistic,
        n_resamples=resamples or RESAMPLES,
        batch=batch,
        vectorized=True,
        paired=True,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)
