"""The order of commitment: 1 from left to right, -1 from right to left, 0 for neither."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # reports need this module without torch
    from ssd.decoding.trace import Trace

from ssd.results.schema import OrderCorrelation

LEFT_TO_RIGHT = 0.95
"""Above this correlation a response counts as decoded from left to right, although the stepping rule was free to rank.
Dream does so at temperature 0.1: confidences are all 1, and ties go to the left (DreamLM/Dream, issue 72)."""


def order_correlation(trace: Trace, block_length: int, prompt_in_first_block: int = 0) -> OrderCorrelation:
    """Return the rank correlation of position and time of commitment, within blocks and over the response.

    It is Goodman and Kruskal's gamma: (pairs whose left position came first - pairs whose right one did) / pairs. Pairs
    that one step committed have no order and are left out; Kendall's tau-b would call a decoder unordered that takes
    whole words from left to right. Spearman's coefficient counts no pairs, so that blocks cannot be pooled by it.

    within_blocks: over the pairs inside blocks, because blocks always follow each other from left to right; response:
    over all pairs. None where no two positions were committed one after the other.
    A position's block follows from its place: a draft may reach into blocks after that of its forward.
    """
    steps = commitments(([pick.position for pick in event.picks], sum(event.accepted)) for event in trace.events)
    blocks = defaultdict(list)
    for position in sorted(steps):
        blocks[(position + prompt_in_first_block) // block_length].append(steps[position])
    return {
        "within_blocks": _gamma(blocks.values()),
        "response": _gamma([[steps[position] for position in sorted(steps)]]),
    }


def commitments(forwards: Iterable[tuple[Sequence[int], int]]) -> dict[int, int]:
    """Return position → ordinal of the step that committed it for good.

    forwards: of each the positions of its picks, and its number of accepted drafts. A forward with one pick per state
    of its accepted path made one step per pick; the picks of any other forward are one step.
    A position that was taken back counts where it was committed again.
    """
    steps: dict[int, int] = {}
    ordinal = 0
    for positions, accepted in forwards:
        one_by_one = len(positions) == 1 + accepted
        for place, position in enumerate(positions):
            steps[position] = ordinal + place * one_by_one
        ordinal += len(positions) if one_by_one else bool(positions)
    return steps


def mean_correlation(parts: Sequence[OrderCorrelation]) -> OrderCorrelation:
    """Return the mean over responses, without those whose correlation is None; None if all are."""

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return float(np.mean(known)) if known else None

    return {
        "within_blocks": mean(part["within_blocks"] for part in parts),
        "response": mean(part["response"] for part in parts),
    }


def _gamma(groups: Iterable[Sequence[int]]) -> float | None:
    """Return gamma over all pairs inside groups; a group lists the steps of its positions from left to right."""
    left_first = right_first = 0
    for steps in groups:
        order = np.asarray(steps)
        later = np.triu(order[None, :] - order[:, None], k=1)
        left_first += int((later > 0).sum())
        right_first += int((later < 0).sum())
    return (left_first - right_first) / (left_first + right_first) if left_first + right_first else None
