"""What a forward left behind: kept as the tensors that decoding has anyway, made an event only when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.draft import Draft
from ssd.decoding.rule import Ranking
from ssd.decoding.trace import Event, Kind, Pick


@dataclass(frozen=True)
class ForwardRecord:
    """One forward of a block, the ranking of its nodes, and the path of nodes that were believed.

    rows: of the window; first: the response position of the states' first row; next_state: int64 [span], what the
    last believed node's picks lead to; confidence: float64 [nodes, span].
    """

    kind: Kind
    block: int
    rows: int
    first: int
    draft: Draft
    path: list[int]
    ranking: Ranking
    next_state: Tensor
    confidence: Tensor

    def event(self) -> Event:
        """Its picks are what the states along the path gained, in the order of their rankings."""
        before, order = self.draft.states[self.path], self.ranking.order[self.path]
        after = torch.cat((before[1:], self.next_state[None]))
        gained = (after != before).gather(1, order)
        each = (order + self.first, after.gather(1, order), self.confidence[self.path].gather(1, order))
        picks = tuple(Pick(*pick) for pick in zip(*(values[gained].tolist() for values in each), strict=True))
        drafted = self.draft.drafted
        reached = {self.draft.depths[node] for node in self.path}
        accepted = tuple(int(depth in reached) for depth in range(1, len(drafted) + 1))
        step, nodes = int(self.ranking.step[0]), self.draft.nodes
        return Event(self.kind, self.block, step, nodes, self.rows, picks, drafted, accepted)
