"""What one response teaches the drafts of its later rounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import torch
from torch import Tensor

from ssd.decoding.draft import Draft
from ssd.speculation.draft_length import DraftLengthPolicy
from ssd.speculation.forecast import Forecast
from ssd.speculation.pick_model import PickModel


class DraftMemory:
    """The estimate of a response, the forecast of the forward under way, and the rows picked since its logits.

    steps, spent: how many steps the response's drafts have made, and what their forwards cost, in forwards of one node.
    It begins with the response and ends with it, so that no response depends on those decoded before.
    """

    def __init__(self) -> None:
        self.pick_model = PickModel()
        self.forecast: Forecast | None = None
        self.fresh = frozenset[int]()
        self.steps, self.spent = 0, 0.0

    def take(
        self, draft: Draft, path: Sequence[int], next_states: Tensor, policy: DraftLengthPolicy | None = None
    ) -> None:
        """Learn from the believed nodes of a draft, whose own picks lead to `next_states` [nodes, span]."""
        states = torch.cat((draft.states[path], next_states[path[-1:]]))
        cells = (states[1:] != states[:-1]).nonzero().tolist()
        picks = [{row for _, row in cells_of_one} for _, cells_of_one in groupby(cells, key=itemgetter(0))]
        if self.forecast is not None:
            self.forecast.learn(picks, draft.steps[path].tolist())
            if policy:
                self.steps += len(path)
                self.spent += policy.costs[draft.nodes - 1]
        self.forecast, self.fresh = None, frozenset(picks[-1])
