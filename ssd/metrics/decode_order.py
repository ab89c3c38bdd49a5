"""How left to right a response was committed: 1 from left to right, -1 from right to left, 0 in no such order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # figures read orders without torch
    from ssd.decoding.trace import Trace

LEFT_TO_RIGHT = 0.95
"""Above this, positions that the stepping rule was free to rank were in fact taken from left to right, as with Dream at
temperature 0.1, where confidences are all 1 and ties go to the left (DreamLM/Dream, issue 72)."""


def order_correlation(trace: Trace) -> dict[str, float | None]:
    """Rank correlation of position and time of commitment, within blocks and over the response.

    It is Kendall's tau over the pairs of positions that were committed one after the other: (pairs whose left one came
    first - pairs whose right one did) / pairs. Pairs that one step committed together have no order and are left out
    (which makes it Goodman and Kruskal's gamma), where tau-b would call a decoder that takes whole words from left to
    right unordered. Spearman's coefficient is no count of pairs, so that blocks could not be pooled by it.

    within_blocks: over the pairs inside blocks, since blocks follow each other from left to right whatever the model
    does; response: over all pairs. None where no two positions were committed one after the other.
    """
    forwards = ((event.block, [pick.position for pick in event.picks], sum(event.accepted)) for event in trace.events)
    steps, blocks = commitments(forwards)
    positions = defaultdict(list)
    for position in sorted(steps):
        positions[blocks[position]].append(steps[position])
    return {
        "within_blocks": _gamma(positions.values()),
        "response": _gamma([[steps[position] for position in sorted(steps)]]),
    }


def commitments(forwards: Iterable[tuple[int, Sequence[int], int]]) -> tuple[dict[int, int], dict[int, int]]:
    """Position → ordinal of the step that committed it for good, and → the block in whose turn that was.

    forwards: of each one its block, the positions of its picks, and how many drafts it accepted. One that walked as
    many states as it made picks made one pick in each, in their order; else its picks are taken for one step.
    Positions that were taken back count where they were committed again.
    """
    steps, blocks, ordinal = {}, {}, 0
    for block, positions, accepted in forwards:
        one_by_one = len(positions) == 1 + accepted
        for place, position in enumerate(positions):
            steps[position], blocks[position] = ordinal + place * one_by_one, block
        ordinal += len(positions) if one_by_one else bool(positions)
    return steps, blocks


def mean_correlation(parts: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """The mean over responses of what `order_correlation` gave for each; None if it told nothing of any of them."""

    def mean(name: str) -> float | None:
        told = [part[name] for part in parts if part[name] is not None]
        return float(np.mean(told)) if told else None

    return {name: mean(name) for name in ("within_blocks", "response")}


def _gamma(groups: Iterable[Sequence[int]]) -> float | None:
    """Over all pairs inside groups, each of which lists the steps of its positions from left to right."""
    left_first = right_first = 0
    for steps in groups:
        order = np.asarray(steps)
        later = np.triu(order[None, :] - order[:, None], k=1)
        left_first += int((later > 0).sum())
        right_first += int((later < 0).sum())
    return (left_first - right_first) / (left_first + right_first) if left_first + right_first else None
