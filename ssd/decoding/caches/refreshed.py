"""No cache, and the caches that a forward over the whole canvas fills: prefix, dual and dKV-Prefill."""

from __future__ import annotations

from torch import Tensor

from ssd.decoding.caches.policy import CachePolicy, Opening, in_window, kind_of, open_whole
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.kv_cache import KVCache


class NoCache(CachePolicy):
    """Every forward computes all positions: the canvas, or with block-causal attention all up to the span's end."""

    has_plain_windows = True
    verifies_later_blocks = True

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        return open_whole(model, canvas, states, block)


class RefreshedCache(CachePolicy):
    """Prefix and dual cache (Fast-dLLM, arXiv 2505.22618): each block's first forward computes the whole canvas."""

    caveat = "positions outside the window keep the keys and values of the block's first forward"
    has_plain_windows = True
    refreshes = "block"

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        if block.window.is_whole:
            return open_whole(model, canvas, states, block)
        logits, context = model.refresh(canvas.tokens, block.refresh)
        return Opening("refresh", logits, block.refresh.first_row, context, canvas.length)


class DKVPrefill(CachePolicy):
    """dKV-Cache-Prefill (arXiv 2505.15781): the prompt's keys and values are those of the response's first forward.

    With shifted logits the prompt's last position is computed again: it predicts the response's first one.
    """

    caveat = "the prompt keeps the keys and values of the response's first forward"
    has_plain_windows = True
    refreshes = "response"
    spans_blocks = True
    verifies_later_blocks = True

    def __init__(self, settings: GenerationSettings) -> None:
        super().__init__(settings)
        self._context: KVCache | None = None

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        if block.window.is_whole:
            return open_whole(model, canvas, states, block)
        if self._context is None:
            logits, self._context = model.refresh(canvas.tokens, block.refresh)
            return Opening("refresh", logits, block.refresh.first_row, self._context, canvas.length)
        logits = model.window(in_window(canvas, states, block), block.refresh, self._context)
        return Opening(kind_of(len(states)), logits, block.refresh.first_row, self._context, block.window.size)

    def rewind(self, stop: int) -> None:
        self._context = None
