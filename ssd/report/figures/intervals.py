"""95 % intervals of shares and of ratios of forwards, and the whiskers that show them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from ssd.metrics.bootstrap import ratio_interval

LEVEL = 0.95
RESAMPLES = 2_000


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return Wilson's interval of a share; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    interval = binomtest(int(successes), int(trials)).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def whiskers(values: ArrayLike, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """Return float64 [2, values]: lengths of error bars below and above each value; NaN without an interval."""
    value, least, most = (np.atleast_1d(np.asarray(each, dtype=float)) for each in (values, low, high))
    return np.maximum(0, [value - least, most - value])


def percents(shares: Iterable[float], prompts: Iterable[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return shares of prompts in percent, and the whiskers of their Wilson intervals."""
    found = [(share, *wilson(round(share * count), int(count))) for share, count in zip(shares, prompts, strict=True)]
    values, low, high = 100 * np.array(found).T
    return values, whiskers(values, low, high)


def ratio_of_forwards(samples: pd.DataFrame) -> tuple[float, float] | None:
    """Return the interval of the ratio of forwards, reference over decoder, over prompts; None for less than two."""
    sums = samples.groupby("index")[["reference.nfe", "decoder.nfe"]].sum().to_numpy(dtype=float)
    return ratio_interval(sums[:, 0], sums[:, 1], RESAMPLES) if len(sums) > 1 else None
