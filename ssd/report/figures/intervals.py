"""95 % intervals of shares and of ratios of sums."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest

LEVEL = 0.95
RESAMPLES = 2_000


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's interval of a share; (0, 1) where nothing was tried."""
    if not trials:
        return 0.0, 1.0
    interval = binomtest(int(successes), int(trials)).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def ratio_of_forwards(samples: pd.DataFrame) -> tuple[float, float] | None:
    """Of the ratio of forwards, reference over decoder: a paired bootstrap over prompts; None for less than two."""
    return ratio_of_sums(samples.groupby("index")[["reference.nfe", "decoder.nfe"]].sum().to_numpy(dtype=float))


def ratio_of_sums(sums: np.ndarray) -> tuple[float, float] | None:
    """Of the first column's sum over the second's, a row for each prompt: a bootstrap over rows; None for one row."""
    if len(sums) < 2:
        return None
    draws = np.random.default_rng(0).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=RESAMPLES)
    totals = draws @ sums
    low, high = np.percentile(totals[:, 0] / totals[:, 1], [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)
