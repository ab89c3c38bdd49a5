"""Sparse-dLLM (arXiv 2508.02558): a block attends to the positions outside it that it needs most."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ssd.decoding.cache_options import SparseOptions
from ssd.decoding.caches.policy import CachePolicy, Forward, Opening, kind_of
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.forwards import Context, DiffusionModel
from ssd.modeling.kv_cache import Window
from ssd.modeling.selective_kv_cache import SelectiveKVCache


class Sparse(CachePolicy):
    """A block's first forwards compute everything. The one with number `delay` selects what later ones attend to.

    With shifted logits and a delay, later windows also compute the position before the block. It then counts as a part
    of the block, but its query does not take part in the selection. Where nothing lies outside the window, there is
    nothing to select, and all forwards compute everything.
    """

    caveat = "a block attends to a share of the other positions, as one of its first forwards stored them"
    depends_on = "settled"

    def __init__(self, settings: GenerationSettings) -> None:
        super().__init__(settings)
        self._options = self.options(SparseOptions)
        self._forwards = 0
        self._context: SelectiveKVCache | None = None

    @property
    def is_settled(self) -> bool:
        return self._forwards > self._options.delay

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        self._forwards, self._context = 0, None
        forward = self.evaluate(model, canvas, Draft.of_state(states[0], 0), block, None)
        kind = kind_of(1) if self._context is None else "refresh"
        return Opening(kind, forward.logits, forward.first_position, None, forward.rows)

    def evaluate(
        self, model: DiffusionModel, canvas: Canvas, draft: Draft, block: Block, context: Context | None
    ) -> Forward:
        if self._context is not None or block.window.is_whole:
            return super().evaluate(model, canvas, draft, block, self._context)
        tokens = canvas.tokens.clone()
        tokens[block.start : block.stop] = draft.states[0]
        if self._forwards < self._options.delay:
            whole = Window(0, canvas.length, block.start, block.stop, canvas.length)
            return Forward(model.window(tokens[None], whole), block.start, canvas.length)
        empty = SelectiveKVCache(block.refresh, retention=self._options.retention, kernel=self._options.kernel)
        logits, _ = model.refresh(tokens, block.refresh, empty)
        self._context = empty
        return Forward(logits, block.refresh.first_row, canvas.length)

    def adopt(self, path: Sequence[int]) -> None:
        self._forwards += 1
