"""DPad (arXiv 2508.14148): each block is decoded on a canvas with a thinned suffix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ssd.decoding.cache_options import DPadOptions
from ssd.decoding.caches.policy import CachePolicy, Forward, Opening
from ssd.decoding.caches.refreshed import NoCache, RefreshedCache
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.noise import CounterNoise
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.forwards import Context, DiffusionModel
from ssd.modeling.kv_cache import Window


class DPad(CachePolicy):
    """Some suffix positions are left out of a block's forwards, the more the farther they are. All others stay where
    they are. The positions follow from seed, prompt and block, so that stored entries depend on the state alone.
    """

    caveat = "forwards leave out a part of the positions behind the block"

    def __init__(self, settings: GenerationSettings) -> None:
        super().__init__(settings)
        self._options = self.options(DPadOptions)
        self._base = (NoCache if self._options.base == "none" else RefreshedCache)(settings)
        self._noise: CounterNoise | None = None
        self._shorter: tuple[Canvas, Block] | None = None

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        shorter, same_block = self._shorter = self._thinned(canvas, block)
        return self._base.open(model, shorter, states, same_block, drafts)

    def evaluate(
        self, model: DiffusionModel, canvas: Canvas, draft: Draft, block: Block, context: Context | None
    ) -> Forward:
        shorter, same_block = self._shorter or self._thinned(canvas, block)
        return self._base.evaluate(model, shorter, draft, same_block, context)

    def adopt(self, path: Sequence[int]) -> None:
        self._base.adopt(path)

    def _suffix(self, canvas: Canvas, block: Block) -> Tensor:
        """Return int64 [kept]: the positions behind the block that stay."""
        prompt = canvas.tokens[: canvas.prompt_length].tolist()
        self._noise = self._noise or CounterNoise(self.settings.seed, prompt)
        position = torch.arange(block.stop, canvas.length)
        # The stepping rule's noise has steps from 0 on.
        drawn = self._noise.uniform(torch.tensor(-1 - block.index), position)
        distance = (position - block.stop).double()
        z = distance * self._options.density / max(1, self._options.window - 1)
        # Logarithms, because an infinite scale times a density of 0 is not a number.
        log_likely = math.log(self._options.scale) - z.square() / 2 - math.log(2 * math.pi) / 2
        return position[(drawn.log() < log_likely) & (distance < self._options.window)]

    def _thinned(self, canvas: Canvas, block: Block) -> tuple[Canvas, Block]:
        """Return the canvas without what is left out, and the block with windows of that canvas."""
        kept = self._suffix(canvas, block)
        positions = torch.cat((torch.arange(block.stop), kept))

        def thinned(window: Window) -> Window:
            stop = window.stop if window.stop == block.stop else len(positions)
            return replace(window, stop=stop, length=len(positions), tail=tuple(kept.tolist()))

        return canvas.only(positions), replace(block, refresh=thinned(block.refresh), window=thinned(block.window))
