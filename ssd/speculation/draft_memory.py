"""The draft memory of one response: its verified steps improve the drafts of later rounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor

from ssd.decoding.draft import Draft
from ssd.speculation.draft_length import DraftLengthPolicy
from ssd.speculation.forecast import Forecast
from ssd.speculation.pick_model import PRIOR, Features, PickModel


class DraftMemory:
    """The pick model, the current draft's forecast, and the rows picked since its logits.

    steps, spent: steps made by the response's drafts, and the cost of their forwards in forwards of one node.
    Each response has a new memory, so that no response depends on earlier ones.
    """

    def __init__(self, prior: Features = PRIOR) -> None:
        self.pick_model = PickModel(prior)
        self.forecast: Forecast | None = None
        self.fresh = frozenset[int]()
        self.steps, self.spent = 0, 0.0
        self._block: int | None = None

    def enter(self, block: int) -> None:
        """Begin a draft in the block of this index. Rows count from the block's start, so earlier ones are dropped."""
        if self._block not in (block, None):
            self.fresh = frozenset()
        self._block = block

    def take(
        self, draft: Draft, path: Sequence[int], next_states: Tensor, policy: DraftLengthPolicy | None = None
    ) -> None:
        """Learn from the accepted path of a draft; next_states: int64 [nodes, span], after each node's own picks."""
        states = torch.cat((draft.states[path], next_states[path[-1:]]))
        cells = (states[1:] != states[:-1]).nonzero().tolist()
        picks = [{row for _, row in cells_of_one} for _, cells_of_one in groupby(cells, key=itemgetter(0))]
        if self.forecast is not None:
            self.forecast.learn(picks, draft.steps[path].tolist())
            if policy:
                self.steps += len(path)
                self.spent += policy.cost(draft.nodes, draft.spans)
        else:  # a forward without our draft, as a block's first: its rows are those of the block that is drafted next
            self._block = None
        self.forecast, self.fresh = None, frozenset(picks[-1])
