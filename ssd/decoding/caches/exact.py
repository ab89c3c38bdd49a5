"""The exact cache of block-causal models."""

from __future__ import annotations

from torch import Tensor

from ssd.decoding.caches.policy import CachePolicy, Opening, kind_of
from ssd.decoding.canvas import Block, Canvas, commits_block_start
from ssd.decoding.settings import GenerationSettings
from ssd.decoding.trace import Kind
from ssd.modeling.forwards import Context, DiffusionModel
from ssd.modeling.growing_kv_cache import GrowingKVCache, StoredContext


class ExactCache(CachePolicy):
    """Keys and values of all finished blocks of a block-causal model, appended when a block is full.

    `fused` stores a block in the next block's first forward, `separate` in a forward of its own. Both give the same
    keys and values.
    """

    has_plain_windows = True
    verifies_later_blocks = True

    def __init__(self, settings: GenerationSettings) -> None:
        super().__init__(settings)
        self._separate = settings.store == "separate"
        self._cache: GrowingKVCache | None = None

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        cache = self._of(model, canvas)
        kind: Kind = "refresh" if cache.size < block.start else kind_of(len(states))
        full = canvas.tokens[cache.size : block.start]
        if not len(full):
            context = StoredContext(cache, block.start) if block.start else None
            logits = model.window(states, block.refresh, context)
            return Opening(kind, logits, block.refresh.first_row, context, block.window.size)
        context = StoredContext(cache, block.start)
        if not drafts and self._is_predicted_by_store(model, block):
            return Opening(kind, model.append(full, cache), block.start, context, 0, len(full))
        logits = model.append(full, cache, states, block.refresh)
        return Opening(kind, logits, block.refresh.first_row, context, block.window.size, len(full))

    def store(self, model: DiffusionModel, canvas: Canvas, block: Block) -> int:
        cache = self._of(model, canvas)
        full = canvas.tokens[cache.size : block.start]
        if not self._separate or not len(full) or self._is_predicted_by_store(model, block):
            return 0
        model.append(full, cache)
        return len(full)

    def fill(self, model: DiffusionModel, canvas: Canvas, stop: int) -> Context | None:
        cache = self._of(model, canvas)
        if stop > cache.size:
            model.append(canvas.tokens[cache.size : stop], cache)
        return StoredContext(cache, stop) if stop else None

    def rewind(self, stop: int) -> None:
        if self._cache is not None:
            self._cache.rewind(stop)

    def _of(self, model: DiffusionModel, canvas: Canvas) -> GrowingKVCache:
        self._cache = self._cache or model.new_growing_cache(canvas.length)
        return self._cache

    def _is_predicted_by_store(self, model: DiffusionModel, block: Block) -> bool:
        """Whether the block's first pick comes from the logits of the last stored position (shifted logits)."""
        shift = model.config.logits_shift
        return commits_block_start(self.settings, shift) and block.refresh.first_row == block.start
