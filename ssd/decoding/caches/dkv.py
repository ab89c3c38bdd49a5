"""dKV-Cache-Decode (arXiv 2505.15781, equation 4): the keys and values of decided positions wait for a full forward."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ssd.decoding.cache_options import DKVOptions
from ssd.decoding.caches.policy import CachePolicy, Forward, Opening
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.forwards import Context, DiffusionModel
from ssd.modeling.path_kv_cache import PackedRows, PathKVCache


class DKV(CachePolicy):
    """A forward computes what was masked at the step before: today's masks, and the tokens just committed.

    A block's steps 0 and 1, and those whose number is a multiple of `interval`, compute everything. With shifted logits
    a position is computed if its right neighbour was masked, which it predicts. All else is read as it was stored by
    the last forward that computed it. A drafted node reads the entries of the nodes before it.
    """

    caveat = "decided positions keep the keys and values of earlier steps"
    depends_on = "path"
    has_decided_rows = False

    def __init__(self, settings: GenerationSettings) -> None:
        super().__init__(settings)
        self._interval = self.options(DKVOptions).interval
        self._cache: PathKVCache | None = None
        self._clock = 0
        self._masked = torch.empty(0)
        self._last: tuple[PackedRows, Tensor] | None = None

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        self._clock = 0
        forward = self.evaluate(model, canvas, Draft.of_state(states[0], 0), block, None)
        return Opening("refresh", forward.logits, forward.first_position, None, forward.rows)

    def evaluate(
        self, model: DiffusionModel, canvas: Canvas, draft: Draft, block: Block, context: Context | None
    ) -> Forward:
        tokens = canvas.tokens.repeat(draft.nodes, 1)
        tokens[:, block.start : block.stop] = draft.states
        masked = tokens == canvas.special.mask_id
        rows = self._packed(draft, tokens, masked, block, model.config.logits_shift)
        self._cache = self._cache or PathKVCache(model.config, canvas.length, model.device, model.dtype)
        logits = model.recompute(rows, self._cache)
        self._last = rows, masked
        least = min(rows.counts)
        return Forward(logits, block.window.first_row, least, len(rows.node) - least * rows.nodes)

    def adopt(self, path: Sequence[int]) -> None:
        if self._last is None or self._cache is None:
            raise RuntimeError("a path is adopted after a forward; none has been made since the last one")
        (rows, masked), self._last = self._last, None
        self._masked, self._clock = masked[path[-1]], self._clock + len(path)
        seen = rows.seen[path[-1]]
        moved = (seen >= self._cache.length).nonzero()[:, 0]
        if len(moved):
            device = self._cache.memory.device
            self._cache.adopt(*(each.to(device, non_blocking=True) for each in (moved, seen[moved])))

    def _packed(self, draft: Draft, tokens: Tensor, masked: Tensor, block: Block, shift: int) -> PackedRows:
        """Return the rows that each node's own stepwise forward would compute; tokens, masked: [nodes, length]."""
        parents = draft.parents or (0,)
        computed = self._computed(draft, masked, parents, shift)
        node, position = computed.nonzero(as_tuple=True)
        place = (computed.flatten().cumsum(0) - 1).view_as(computed)
        first_drafted = int(computed[0].sum())
        column = torch.where(node == 0, position, torch.arange(len(node)) - first_drafted + masked.shape[1])
        seen = torch.arange(masked.shape[1]).repeat(draft.nodes, 1)
        for child in range(1, draft.nodes):
            seen[child] = torch.where(computed[child], column[place[child]], seen[parents[child]])
        # A decided position that is not computed has no logits. Those of an arbitrary row take the place, and nothing
        # reads them (`has_decided_rows`).
        wanted = slice(block.window.first_row - shift, block.window.last_row - shift)
        any_row = place.gather(1, computed.int().argmax(dim=1, keepdim=True))
        logit_rows = torch.where(computed[:, wanted], place[:, wanted], any_row)
        return PackedRows(tokens[node, position], position, column, node, logit_rows, seen)

    def _computed(self, draft: Draft, masked: Tensor, parents: Sequence[int], shift: int) -> Tensor:
        """Return bool [nodes, length]: the positions that each node computes, from the state before it and its clock.

        A node's clock is the one of the current state plus its depth.
        """
        clock = self._clock + torch.tensor(draft.depths)
        is_full = (clock < 2) | (clock % self._interval == 0)
        before = masked[list(parents)]
        if self._clock:
            before[0] = self._masked
        if shift:
            before = torch.cat((before[:, shift:], torch.zeros_like(before[:, :shift])), dim=1)
        return before | is_full[:, None]
