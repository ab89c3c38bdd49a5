"""95 % intervals of shares and of ratios of forwards."""

from __future__ import annotations

import pandas as pd
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


def ratio_of_forwards(samples: pd.DataFrame) -> tuple[float, float] | None:
    """Return the interval of the ratio of forwards, reference over decoder, over prompts; None for less than two."""
    sums = samples.groupby("index")[["reference.nfe", "decoder.nfe"]].sum().to_numpy(dtype=float)
    return ratio_interval(sums[:, 0], sums[:, 1], RESAMPLES) if len(sums) > 1 else None
