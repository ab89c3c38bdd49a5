"""95 % intervals of paired measurements."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ssd.results.schema import Interval

FEW = 20
"""Number of prompts below which an interval means little."""
RESAMPLES = 10_000
BATCH_BYTES = 2**26
"""Most memory of the resamples that are drawn together."""
NORMAL_QUANTILE = 1.959964
"""Of 97.5 %."""
MOST_LOG = 700.0
"""Largest logarithm of an interval's end: larger numbers are infinite."""


def ratio_of_sums(reference: Sequence[float], decoder: Sequence[float]) -> Interval:
    """Return sum(reference) / sum(decoder) with its 95 % interval over prompts.

    Both sides of a prompt stay together, so that what a prompt costs both sides alike cancels. A single pair has no
    interval.
    """
    columns = np.asarray(reference, dtype=float), np.asarray(decoder, dtype=float)
    low, high = ratio_interval(*columns) if len(reference) > 1 else (None, None)
    return {"ratio": float(columns[0].sum() / columns[1].sum()), "low": low, "high": high}


def ratio_interval(upper: np.ndarray, lower: np.ndarray, resamples: int | None = None) -> tuple[float, float]:
    """Return the interval of sum(upper) / sum(lower), float64 [prompts] each.

    Of `FEW` prompts and more: the percentiles of a paired bootstrap. They are too narrow for fewer prompts, which get
    Student's t and the jackknife's standard error, on the scale of logarithms if no sum is 0.
    """

    def ratio(left: np.ndarray, right: np.ndarray, axis: int) -> np.ndarray:
        return left.sum(axis) / right.sum(axis)

    if len(upper) >= FEW:
        return percentile_interval(ratio, upper, lower, resamples=resamples)
    without_one = (upper.sum() - upper) / (lower.sum() - lower)  # [prompts]
    whole = upper.sum() / lower.sum()
    if without_one.min() > 0:
        low, high = np.exp(np.clip(_t_interval(np.log(whole), np.log(without_one)), -MOST_LOG, MOST_LOG))
    else:
        low, high = _t_interval(whole, without_one)
    return max(0.0, float(low)), float(high)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Return the interval of the mean of float64 [prompts], differences from -1 to 1.

    Of `FEW` prompts and more: the percentiles of a bootstrap. Fewer prompts get the interval of Bonett and Price (2012,
    doi 10.3102/1076998611411915): one more prompt with each extreme difference.
    """
    if len(values) >= FEW:
        return percentile_interval(np.mean, values)
    padded = np.append(values, (-1.0, 1.0))
    half = NORMAL_QUANTILE * padded.std() / np.sqrt(len(padded))
    return max(-1.0, float(padded.mean() - half)), min(1.0, float(padded.mean() + half))


def _t_interval(value: float, without_one: np.ndarray) -> tuple[float, float]:
    """Return Student's interval of a value, from its values without one prompt each [prompts]."""
    from scipy.special import stdtrit

    count = len(without_one)
    error = np.sqrt((count - 1) * without_one.var())
    half = float(stdtrit(count - 1, 0.975)) * error
    return value - half, value + half


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
