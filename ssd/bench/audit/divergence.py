"""Where two responses, or the orders in which they were committed, part for the first time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from ssd.decoding.trace import Pick, Trace

Verdict = Literal["numeric", "algorithmic"]
Tie = Literal["pick", "confidence", "nucleus", "count"]
Side = Literal["reference", "decoder", "both", "neither"]


@dataclass(frozen=True)
class Opinion:
    """What float64 says of the divergent state.

    Margins as in `Divergence`, but signed: negative where float64 sides with the decoder; picks: whose of the two picks
    float64's own step holds.
    """

    token_margin: float
    position_margin: float
    picks: Side


@dataclass(frozen=True)
class Divergence:
    """Where a decoder first leaves its reference, and by how little.

    index: first differing response position, None where only the order of commitment differs; step: ordinal of the
    first differing pick (0 where the traces do not tell); forward: the decoder's forward that led to it;
    reference_pick, decoder_pick: the two picks, None where the traces do not tell. Margins at that point, from a
    one-row replay: token_margin in logits (the reference's token over the decoder's, at the decoder's position),
    position_margin in confidence (the reference's position over the decoder's). near_tie: what else rounding could have
    tipped there: the two `pick`s, the `confidence` of one of them, its `nucleus`, or the `count` of picks in a step of
    this block; None: nothing. one_by_one: whether the decoder gives the reference's picks, step by step, when its nodes
    are evaluated one by one; float64: its opinion, None where it cannot be had.
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
    one_by_one: bool
    float64: Opinion | None

    @property
    def verdict(self) -> Verdict:
        """`numeric` takes both: a tie within the dtype's tolerance, and agreement one by one."""
        return "numeric" if self.near_tie is not None and self.one_by_one else "algorithmic"

    def to_json(self) -> dict[str, Any]:
        line = {name: _finite(value) for name, value in asdict(self).items()}
        for name in ("reference_pick", "decoder_pick"):
            pick: Pick | None = getattr(self, name)
            line[name] = pick._asdict() if pick else None
        if self.float64:
            line["float64"] = {name: _finite(value) for name, value in asdict(self.float64).items()}
        return {**line, "class": self.verdict}


def first_difference(expected: Sequence[object], found: Sequence[object]) -> int | None:
    """The first index at which two sequences differ, their common length if one is a prefix, None if equal."""
    for index, (left, right) in enumerate(zip(expected, found, strict=False)):
        if left != right:
            return index
    return None if len(expected) == len(found) else min(len(expected), len(found))


def first_parting(reference: Trace, decoded: Trace) -> tuple[int, Pick, Pick] | None:
    """Where the commitments part: the ordinal of the pick, the reference's pick and the decoder's instead of it.

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
    """Whether all picks are the reference's, step by step."""
    start, picks = 0, decoded.picks
    for event in reference.events:
        found = picks[start : start + len(event.picks)]
        if sorted(pick[:2] for pick in found) != sorted(pick[:2] for pick in event.picks):
            return False
        start += len(event.picks)
    return start == len(picks)


def _finite(value: Any) -> Any:
    """None for an infinite margin (outside the block or the nucleus) and for none at all: JSON knows no infinity."""
    return None if isinstance(value, float) and not abs(value) < torch.inf else value
