"""What a hypothetical step could do."""

from __future__ import annotations

from typing import NamedTuple


class Fill(NamedTuple):
    """One drafted pick: a block row and the token it would hold."""

    row: int
    token: int


class Candidate(NamedTuple):
    """One way a step could go: its picks, the step that follows it, and the estimated probability of going so."""

    fills: tuple[Fill, ...]
    next_step: int
    probability: float


class Due(NamedTuple):
    """A foreseen step: where it stands among those foreseen, how many picks it makes, and the step that follows it."""

    at: int
    count: int
    next_step: int


class Choice(NamedTuple):
    """What a step can pick: the rows that it surely does, and those of which one is the last."""

    due: Due
    sure: list[int]
    rows: list[int]
