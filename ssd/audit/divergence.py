"""The first divergence of two responses, or of the orders in which they were committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from ssd.decoding.trace import Pick, Trace

Verdict = Literal["numeric", "algorithmic"]
Tie = Literal["pick", "confidence", "nucleus", "count"]
Side = Literal["reference", "decoder", "both", "neither"]

NODE_TOLERANCE = 2**20 * torch.finfo(torch.float64).eps
"""How far float64 logits of nodes evaluated together and one by one may differ, relative to the largest: 2.3e-10.

A sum of 2^14 products in another order is off by 2^7 units in the last place, a hundred such sums on the way to a logit
by 2^14: 2^20 leaves room. Right models of a few layers show 6e-15 at most, nodes that see each other's rows 1e-2 and
more.
"""


@dataclass(frozen=True)
class Opinion:
    """Float64's result for the divergent state, and for the whole response if rounding may be the cause.

    Margins as in `Divergence`, but signed: negative where float64 sides with the decoder; picks: whose of the two picks
    float64's own step holds. same_steps: whether both sides, decoded in float64, pick the same step by step (but for
    ties of float64 itself); node_difference: the largest between logits of nodes evaluated together and one by one on
    the way, relative to the largest logit. Both None where there is no near tie.
    """

    token_margin: float
    position_margin: float
    picks: Side
    same_steps: bool | None = None
    node_difference: float | None = None

    @property
    def objects(self) -> bool:
        """Whether float64 shows that rounding alone does not explain the divergence."""
        return self.same_steps is False or not (self.node_difference or 0) <= NODE_TOLERANCE


@dataclass(frozen=True)
class Divergence:
    """Where a decoder first leaves its reference, and by which margins.

    index: first differing response position, None where only the order of commitment differs; step: ordinal of the
    first differing pick (0 if unknown); forward: the decoder's forward that led to it;
    reference_pick, decoder_pick: the two picks, None if unknown. Margins at that point, from a
    one-row replay: token_margin in logits (the reference's token over the decoder's, at the decoder's position),
    position_margin in confidence (the reference's position over the decoder's). tolerance: how far rounding may move
    two logits there against each other. near_tie: what it could have tipped: the two `pick`s, the `confidence` of one
    of them, its `nucleus`, or the `count` of picks in a step of this block; None: nothing. one_by_one: whether the
    decoder gives the reference's picks, step by step, when its nodes are evaluated one by one, None where no near tie
    exists; float64: its opinion, None without a float64 copy or a lossless claim.
    """

    index: int | None
    step: int
    forward: int
    reference_pick: Pick | None
    decoder_pick: Pick | None
    token_margin: float | None
    position_margin: float | None
    tolerance: float
    near_tie: Tie | None
    one_by_one: bool | None
    float64: Opinion | None

    @property
    def verdict(self) -> Verdict:
        """`numeric` needs a tie within the tolerance, agreement one by one, and no objection from float64."""
        objects = self.float64 is not None and self.float64.objects
        return "numeric" if self.near_tie is not None and self.one_by_one and not objects else "algorithmic"

    def to_json(self) -> dict[str, Any]:
        line = {name: _finite(value) for name, value in asdict(self).items()}
        for name in ("reference_pick", "decoder_pick"):
            pick: Pick | None = getattr(self, name)
            line[name] = pick._asdict() if pick else None
        if self.float64:
            line["float64"] = {name: _finite(value) for name, value in asdict(self.float64).items()}
        return {**line, "class": self.verdict}


def first_difference(expected: Sequence[object], found: Sequence[object]) -> int | None:
    """Return the first index at which two sequences differ, their common length if one is a prefix, None if equal."""
    for index, (left, right) in enumerate(zip(expected, found, strict=False)):
        if left != right:
            return index
    return None if len(expected) == len(found) else min(len(expected), len(found))


def first_parting(reference: Trace, decoded: Trace) -> tuple[int, Pick, Pick] | None:
    """Return the first difference of the commitments: the pick's ordinal, the reference's pick and the decoder's.

    The picks of one step of the reference are a set: their order within the step is no difference.
    """
    start, picks = 0, decoded.picks
    for event in reference.events:
        found = picks[start : start + len(event.picks)]
        missing = [pick for pick in event.picks if pick[:2] not in [other[:2] for other in found]]
        extra = [pick for pick in found if pick[:2] not in [other[:2] for other in event.picks]]
        if missing and extra:
            return start + found.index(extra[0]), missing[0], extra[0]
        if missing:
            return None
        start += len(event.picks)
    return None


def same_steps(reference: Trace, decoded: Trace) -> bool:
    """Return whether all picks equal the reference's, step by step."""
    start, picks = 0, decoded.picks
    for event in reference.events:
        found = picks[start : start + len(event.picks)]
        if sorted(pick[:2] for pick in found) != sorted(pick[:2] for pick in event.picks):
            return False
        start += len(event.picks)
    return start == len(picks)


def _finite(value: Any) -> Any:
    """Return None for an infinite margin (outside the block or the nucleus): JSON has no infinity."""
    return None if isinstance(value, float) and not abs(value) < torch.inf else value
