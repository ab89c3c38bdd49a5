"""Accuracy of both sides, its difference, and shares of responses by length."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np

from ssd.metrics.bootstrap import mean_interval
from ssd.results.summary_schema import AccuracyDifference, Length


def mcnemar(only_left: int, only_right: int) -> float:
    """Return the exact two-sided p-value of McNemar's test, from the numbers of pairs that only one side got right."""
    discordant = only_left + only_right
    tail = sum(comb(discordant, wins) for wins in range(min(only_left, only_right) + 1))
    return min(1.0, 2 * tail / 2**discordant)


def accuracy_difference(reference: Sequence[Sequence[bool]], decoder: Sequence[Sequence[bool]]) -> AccuracyDifference:
    """Return the decoder's accuracy minus the reference's; arguments: is each response of each prompt right?

    The 95 % interval is over prompts. McNemar's exact test takes only the first response to
    each prompt: further ones are no independent pairs.
    """
    shares = np.array([[np.mean(prompt) for prompt in side] for side in (reference, decoder)])
    change = shares[1] - shares[0]
    first = np.array([[prompt[0] for prompt in side] for side in (reference, decoder)], dtype=bool)
    gained, lost = int((first[1] & ~first[0]).sum()), int((first[0] & ~first[1]).sum())
    low, high = mean_interval(change)
    return {
        "difference": float(change.mean()),
        "low": low,
        "high": high,
        "only_reference": lost,
        "only_decoder": gained,
        "mcnemar_p": mcnemar(lost, gained),
    }


def pass_at(k: int, correct: Sequence[Sequence[bool]]) -> float:
    """Return the chance that at least one of k responses is right, estimated without bias from n >= k per prompt.

    The mean over prompts of 1 - C(n - c, k) / C(n, k), c of n being right (Chen et al., arXiv 2107.03374, section 2.1).
    """
    return float(np.mean([1 - comb(len(prompt) - sum(prompt), k) / comb(len(prompt), k) for prompt in correct]))


def lengths(parts: Sequence[dict[str, Any]]) -> Length:
    """Return the shares of one side's responses that hit the length limit, that ended before it, and that are empty."""
    ended = [part["tokens_useful"] < len(part["response_ids"]) for part in parts]
    empty = [part["tokens_useful"] == 0 for part in parts]
    return {"cut_off": 1 - float(np.mean(ended)), "ended": float(np.mean(ended)), "empty": float(np.mean(empty))}
