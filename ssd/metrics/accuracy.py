"""What happened to accuracy, and whether responses had room to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

import numpy as np

from ssd.metrics.bootstrap import RESAMPLES


def mcnemar(only_left: int, only_right: int) -> float:
    """The exact two-sided p-value of McNemar's test, from the pairs that just one side got right."""
    from scipy.stats import binomtest

    discordant = only_left + only_right
    return float(binomtest(only_left, discordant, 0.5).pvalue) if discordant else 1.0


def accuracy_difference(reference: Sequence[Sequence[bool]], decoder: Sequence[Sequence[bool]]) -> dict[str, Any]:
    """Decoder's accuracy minus the reference's, from which responses of every prompt are right.

    The 95 % paired bootstrap percentile interval draws prompts. McNemar's exact test and its counts take each prompt's
    first response alone: further ones are no independent pairs.
    """
    shares = np.array([[np.mean(prompt) for prompt in side] for side in (reference, decoder)])
    change = shares[1] - shares[0]
    first = np.array([[prompt[0] for prompt in side] for side in (reference, decoder)], dtype=bool)
    gained, lost = int((first[1] & ~first[0]).sum()), int((first[0] & ~first[1]).sum())
    generator = np.random.default_rng(0)
    means = [change[generator.integers(len(change), size=len(change))].mean() for _ in range(RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return {
        "difference": float(change.mean()),
        "low": float(low),
        "high": float(high),
        "only_reference": lost,
        "only_decoder": gained,
        "mcnemar_p": mcnemar(lost, gained),
    }


def pass_at(k: int, correct: Sequence[Sequence[bool]]) -> float:
    """The chance that at least one of k responses is right, estimated without bias from n >= k of every prompt.

    The mean over prompts of 1 - C(n - c, k) / C(n, k), c of n being right (Chen et al., arXiv 2107.03374, section 2.1).
    """
    return float(np.mean([1 - comb(len(prompt) - sum(prompt), k) / comb(len(prompt), k) for prompt in correct]))


def lengths(parts: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Shares of one side's responses that hit the length limit, that ended before it, and that are empty."""
    ended = [part["tokens_useful"] < len(part["response_ids"]) for part in parts]
    empty = [part["tokens_useful"] == 0 for part in parts]
    return {"cut_off": 1 - float(np.mean(ended)), "ended": float(np.mean(ended)), "empty": float(np.mean(empty))}
