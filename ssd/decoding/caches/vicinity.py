"""A dual cache whose refresh computes the block and the positions near it, however long the response is."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd.decoding.cache_options import VicinityOptions
from ssd.decoding.caches.policy import CachePolicy, Opening, open_whole
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.path_kv_cache import PackedRows, PathKVCache


class Vicinity(CachePolicy):
    """A block's first forward computes the block and the last finished one, and a number of positions on either side.

    All other positions keep the keys and values of the last forward that computed them so. The response's first forward
    computes everything. Stored entries follow from the tokens of earlier blocks, so that they depend on the state.
    dInfer (arXiv 2510.08666) computes such a vicinity in every forward; here a block's other forwards are those of
    `dual`.
    """

    caveat = "positions far from the block keep the keys and values of an earlier block's first forward"
    spans_blocks = True

    def __init__(self, settings: GenerationSettings) -> None:
        super().__init__(settings)
        self._options = self.options(VicinityOptions)
        self._cache: PathKVCache | None = None

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        if block.window.is_whole:
            return open_whole(model, canvas, states, block)
        start, stop = 0, canvas.length
        if self._cache is None:
            self._cache = PathKVCache(model.config, canvas.length, model.device, model.dtype)
        else:
            start = max(0, block.start - self.settings.block_length - self._options.before)
            stop = min(stop, block.stop + self._options.after)
        positions = torch.arange(start, stop)
        predicted_at = torch.arange(block.refresh.first_row, block.refresh.last_row) - model.config.logits_shift
        rows = PackedRows(
            tokens=canvas.tokens[start:stop],
            positions=positions,
            columns=positions,
            node=torch.zeros_like(positions),
            logit_rows=(predicted_at - start)[None],
            seen=torch.arange(canvas.length)[None],
        )
        logits = model.recompute(rows, self._cache)
        context = model.new_cache(block.window)
        for index, (key, value) in enumerate(self._cache.memory):
            context.write(index, key[None], value[None])
        return Opening("refresh", logits, block.refresh.first_row, context, len(positions))
