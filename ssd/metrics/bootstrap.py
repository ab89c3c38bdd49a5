"""Intervals for paired measurements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000


def ratio_of_sums(reference: Sequence[float], decoder: Sequence[float]) -> dict[str, float | None]:
    """sum(reference) / sum(decoder) with its 95 % paired bootstrap percentile interval over prompts.

    Pairs are drawn together, so that what a prompt costs both sides alike cancels. The generator is seeded:
    the same measurements always give the same interval. A single pair has none: low and high are None.
    """
    if len(reference) == 1:
        return {"ratio": reference[0] / decoder[0], "low": None, "high": None}
    pairs = np.column_stack([reference, decoder])
    generator = np.random.default_rng(0)
    sums = np.stack([pairs[generator.integers(len(pairs), size=len(pairs))].sum(axis=0) for _ in range(RESAMPLES)])
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
    total = pairs.sum(axis=0)
    return {"ratio": float(total[0] / total[1]), "low": float(low), "high": float(high)}
