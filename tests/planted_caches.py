"""Cache policies that are wrong on purpose, each with SSD over it: the audit must say so."""

from unittest.mock import patch

import torch

from ssd.decoding.cache_policy import POLICIES
from ssd.decoding.caches.dkv import DKV
from ssd.decoding.caches.dpad import DPad
from ssd.decoding.caches.policy import CachePolicy, Forward
from ssd.decoding.caches.sparse import Sparse
from ssd.decoding.draft import Draft
from ssd.modeling.kv_cache import Window
from ssd.speculation.decoder import SelfSpeculative


class CountsForwards(DKV):
    """Its clock counts forwards, so that accepted drafts postpone the full ones."""

    def adopt(self, path):
        before = self._clock
        super().adopt(path)
        self._clock = before + 1


class SharesEntries(DKV):
    """All nodes read the stored entries, and not those of the nodes before them."""

    def _packed(self, draft, tokens, masked, block, shift):
        rows = super()._packed(draft, tokens, masked, block, shift)
        for node in range(1, draft.nodes):
            own = rows.node == node
            rows.seen[node] = torch.arange(masked.shape[1])
            rows.seen[node, rows.positions[own]] = rows.columns[own]
        return rows


class DraftsAtOnce(Sparse):
    """Selects what a block attends to after drafts that are not verified yet."""

    is_settled = True

    def evaluate(self, model, canvas, draft, block, context):
        if self._context is not None or draft.nodes == 1:
            return super().evaluate(model, canvas, draft, block, context)
        super().evaluate(model, canvas, Draft.of_state(draft.states[-1], 0), block, context)
        whole = Window(0, canvas.length, block.start, block.stop, canvas.length)
        tokens = canvas.tokens.repeat(draft.nodes, 1)
        tokens[:, block.start : block.stop] = draft.states
        return Forward(model.window(tokens, whole), block.start, canvas.length)


class DropsAtRandom(DPad):
    """Its suffix comes from a generator that all responses share."""

    def _suffix(self, canvas, block):
        position = torch.arange(block.stop, canvas.length)
        return position[torch.rand(len(position)) < 0.5]


class OverPlanted(SelfSpeculative):
    """SSD over a planted policy; its reference has the right one."""

    def __init__(self, cache: str, policy: type[CachePolicy]) -> None:
        super().__init__(depth=4, builder="best_first", budget=8)
        self.planted = {cache: policy}

    def decode(self, model, prompt_ids, settings, special):
        with patch.dict(POLICIES, self.planted):
            return super().decode(model, prompt_ids, settings, special)


WRONG = {
    "counts forwards": OverPlanted("dkv", CountsForwards),
    "shares entries": OverPlanted("dkv", SharesEntries),
    "drafts at once": OverPlanted("sparse", DraftsAtOnce),
    "drops at random": OverPlanted("dpad", DropsAtRandom),
}
