"""Hypothetical steps, as plain data."""

from __future__ import annotations

from typing import NamedTuple


class Fill(NamedTuple):
    """One drafted pick: a block row and its token."""

    row: int
    token: int


class Candidate(NamedTuple):
    """One possible step: its picks, the step after it, and its estimated probability."""

    fills: tuple[Fill, ...]
    next_step: int
    probability: float


class Due(NamedTuple):
    """A foreseen step: its index among the foreseen steps, its number of picks, and the step after it."""

    at: int
    picks: int
    next_step: int


class Choice(NamedTuple):
    """The rows that a step can pick: those it picks for sure, and the candidates for its last pick."""

    due: Due
    sure: list[int]
    rows: list[int]
