"""Records of forwards: they keep decoding's own tensors, and become events only on request."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.draft import Draft
from ssd.decoding.ranking import Ranking
from ssd.decoding.trace import Event, Kind, Pick


@dataclass(frozen=True)
class ForwardRecord:
    """One forward of a block, the ranking of its nodes, and the accepted path.

    rows: positions computed for each node; first: the response position of the states' first row; next_state: int64
    [span], the state after the last accepted node's picks; confidence: float64 [nodes, span]; stored, logit_rows: see
    `Event`.
    """

    kind: Kind
    block: int
    first: int
    draft: Draft
    path: list[int]
    ranking: Ranking
    next_state: Tensor
    confidence: Tensor
    rows: int
    stored: int
    logit_rows: int

    def event(self) -> Event:
        """Return the event. Its picks are the tokens that each state of the path adds, in the order of the rankings."""
        before, order = self.draft.states[self.path], self.ranking.order[self.path]
        after = torch.cat((before[1:], self.next_state[None]))
        gained = (after != before).gather(1, order)
        each = (order + self.first, after.gather(1, order), self.confidence[self.path].gather(1, order))
        picks = tuple(Pick(*pick) for pick in zip(*(values[gained].tolist() for values in each), strict=True))
        drafted = self.draft.drafted
        reached = {self.draft.depths[node] for node in self.path}
        accepted = tuple(int(depth in reached) for depth in range(1, len(drafted) + 1))
        step, nodes = int(self.ranking.step[0]), self.draft.nodes
        revoked: tuple[int, ...] = ()
        counts = self.stored, self.logit_rows
        return Event(self.kind, self.block, step, nodes, self.rows, picks, drafted, accepted, revoked, *counts)
