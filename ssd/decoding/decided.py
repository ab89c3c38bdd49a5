"""Confidences of decided positions, kept on request (`Decoder.keep_confidences`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.draft import Draft
from ssd.decoding.scores import DecidedRows, Scores


@dataclass(frozen=True)
class DecidedRecord:
    """The confidences of all decided positions at the steps that one forward committed.

    rows: those of the accepted path; origin: the response's start in the canvas; start: the first position of the
    states. before, after: int64 [steps, span], the states before and after each step; probability: float64
    [steps, span], of each step's picks.
    """

    rows: DecidedRows
    origin: int
    start: int
    before: Tensor
    after: Tensor
    probability: Tensor

    @classmethod
    def of(
        cls, rows: DecidedRows, origin: int, start: int, draft: Draft, path: Sequence[int], last: Tensor, scores: Scores
    ) -> DecidedRecord:
        """Return the record of one forward. last: int64 [span], the state after the last accepted node's picks."""
        nodes = list(path)
        before = draft.states[nodes]
        after = torch.cat((before[1:], last[None]))
        kept = rows._replace(probability=rows.probability[nodes])
        return cls(kept, origin, start, before, after, scores.probability[nodes])

    def steps(self) -> list[list[float | None]]:
        """Return for each committed step the confidence of every response position from the first one on.

        It is None for positions that are masked after the step, and for those whose rows the forward did not compute.
        A pick's confidence is its probability in the forward that committed it.
        """
        first, start = self.rows.first - self.origin, self.start - self.origin
        rows, span = self.rows.probability.shape[1], self.before.shape[1]
        offset = max(0, -min(first, start))  # an absolute grid's first block may begin in the prompt
        length = offset + max(first + rows, start + span)
        confidences = torch.full((len(self.before), length), torch.nan, dtype=torch.float64)
        confidences[:, offset + first : offset + first + rows] = self.rows.probability
        inside = confidences[:, offset + start : offset + start + span]  # a view
        inside[:] = torch.where(self.after != self.before, self.probability, inside)
        return [[None if value != value else value for value in step] for step in confidences[:, offset:].tolist()]
