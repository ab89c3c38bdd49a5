"""The canvas of one sample, its blocks, and the windows that each cache mode computes for a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ssd.decoding.settings import GenerationSettings, SpecialTokens, prompt_in_first_block
from ssd.modeling.config import ModelConfig
from ssd.modeling.kv_cache import Window


@dataclass(frozen=True)
class Block:
    """Response positions [start, stop) in the canvas, with the windows of the block's forwards.

    States cover [start, span_stop): the block, and later blocks only if a decoder drafts into them.
    refresh: the window and rows of the block's first forward; window: those of all other forwards.
    """

    index: int
    start: int
    stop: int
    span_stop: int
    refresh: Window
    window: Window

    def alone(self) -> Block:
        """Return the same block without the later ones that drafts may reach into."""
        refresh, window = (
            replace(each, stop=self.stop, last_row=self.stop, length=self.stop) for each in (self.refresh, self.window)
        )
        return replace(self, span_stop=self.stop, refresh=refresh, window=window)

    def with_earlier_rows(self, first_row: int) -> Block:
        """Return the same block, whose forwards also return the logits of positions before it, from `first_row` on."""
        refresh, window = (replace(each, first_row=first_row) for each in (self.refresh, self.window))
        return replace(self, refresh=refresh, window=window)

    def with_later_rows(self) -> Block:
        """Return the same block, whose forwards also return the logits of positions after it, to the window's end."""
        refresh, window = (replace(each, last_row=each.stop) for each in (self.refresh, self.window))
        return replace(self, refresh=refresh, window=window)


class Canvas:
    """Prompt and response of one sample on the host; the response starts fully masked.

    On an absolute grid the canvas ends with its last block. The positions behind the response are decoded, too.
    """

    def __init__(self, prompt_ids: Sequence[int], settings: GenerationSettings, special: SpecialTokens) -> None:
        self.prompt_length = len(prompt_ids)
        self.special = special
        self.gen_length = settings.gen_length
        response = [special.mask_id] * (canvas_length(self.prompt_length, settings) - self.prompt_length)
        self.tokens: Tensor = torch.tensor([*prompt_ids, *response], dtype=torch.int64)

    @property
    def length(self) -> int:
        return self.tokens.shape[0]

    def only(self, positions: Tensor) -> Canvas:
        """Return a canvas of these positions alone, int64 [kept]."""
        kept = copy(self)
        kept.tokens = self.tokens[positions]
        return kept

    @property
    def response(self) -> Tensor:
        return self.tokens[self.prompt_length : self.prompt_length + self.gen_length]

    def blocks(self, settings: GenerationSettings, logits_shift: int, lookahead: int = 0) -> Iterator[Block]:
        """Yield the blocks from left to right; their states include up to `lookahead` later blocks."""
        starts = range(first_start(self.prompt_length, settings), self.length, settings.block_length)
        for index, start in enumerate(starts):
            yield block_at(index, start, self.length, settings, logits_shift, lookahead, self.prompt_length)

    def is_ended(self, start: int, tokens: Tensor, settings: GenerationSettings) -> bool:
        """Whether decoding stops after the full block at `start`; tokens: int64 [block]."""
        if settings.stop == "none":
            return False
        response = tokens[max(0, self.prompt_length - start) :]
        ends = torch.isin(response, torch.tensor(self.special.end_ids))
        return bool(ends.any() if settings.stop == "eos_any" else ends.all())

    def fill_after(self, block: Block) -> int:
        """Fill all positions after a block with EOS. Returns the number of those in the response."""
        self.tokens[block.stop :] = self.special.fill_id
        return max(0, self.prompt_length + self.gen_length - block.stop)


def first_start(prompt_length: int, settings: GenerationSettings) -> int:
    """Return the start of the first block. On an absolute grid it may include the prompt's last tokens."""
    return prompt_length - prompt_in_first_block(prompt_length, settings.block_length, settings.grid)


def canvas_length(prompt_length: int, settings: GenerationSettings) -> int:
    """Return the number of positions of prompt and response; on an absolute grid up to the last block's end."""
    length = prompt_length + settings.gen_length
    return length + (-length % settings.block_length if settings.grid == "absolute" else 0)


def part_masks(prompt_length: int, settings: GenerationSettings) -> list[int]:
    """Return the number of masks in each part of a response's blocks.

    On an absolute grid the first block's parts may begin with tokens of the prompt.
    """
    length = settings.part_length
    start, stop = first_start(prompt_length, settings), canvas_length(prompt_length, settings)
    return [min(length, max(0, begin + length - prompt_length)) for begin in range(start, stop, length)]


def commits_block_start(settings: GenerationSettings, logits_shift: int) -> bool:
    """Whether a block's first forward always commits its first position (shifted logits).

    With full attention only windows without the position before make it so. Block-causal models predict the position in
    the same forward without a cache, so that both give the same response.
    """
    has_such = settings.options.opens_by_refresh or settings.grid == "absolute"
    return logits_shift > 0 and has_such and settings.block_start == "commit_first"


def block_at(
    index: int,
    start: int,
    length: int,
    settings: GenerationSettings,
    logits_shift: int,
    lookahead: int = 0,
    prompt_length: int = 0,
) -> Block:
    """Return the block at `start` with its windows (arXiv 2505.22618).

    The cache's options name the windows: the whole canvas (on an absolute grid up to the span's end), the block and
    everything after it, the span, or the response.
    With shifted logits, the prediction of the block's first position is made outside the block. Either the refresh
    forward commits that position, or the window begins earlier.
    """
    stop = start + settings.block_length
    span_stop = min(stop + lookahead * settings.block_length, length)
    lead = 0 if commits_block_start(settings, logits_shift) else logits_shift
    seen = span_stop if settings.grid == "absolute" else length
    first, last = {
        "whole": (0, seen),
        "suffix": (start - lead, seen),
        "block": (start - lead, span_stop),
        "response": (max(prompt_length - lead, 0), seen),
    }[settings.options.windows]
    opening_row = max(start, prompt_length)
    first_row = max(opening_row, start + 1) if commits_block_start(settings, logits_shift) else opening_row
    return Block(
        index=index,
        start=start,
        stop=stop,
        span_stop=span_stop,
        refresh=Window(first, last, opening_row, span_stop, seen),
        window=Window(first, last, first_row, span_stop, seen),
    )


def check_prompt(
    prompt_ids: Sequence[int], settings: GenerationSettings, special: SpecialTokens, model: ModelConfig
) -> None:
    """Raise ValueError for a prompt that cannot be decoded."""
    if not prompt_ids:
        raise ValueError("the prompt is empty; a response needs at least one prompt token")
    if special.mask_id in prompt_ids:
        where = list(prompt_ids).index(special.mask_id)
        raise ValueError(
            f"the prompt contains the mask id {special.mask_id} at position {where}; prompts must be unmasked"
        )
    outside = [token for token in prompt_ids if not 0 <= token < model.vocabulary_size]
    if outside:
        raise ValueError(f"prompt id {outside[0]} is outside the model's vocabulary of {model.vocabulary_size}")
    needed = canvas_length(len(prompt_ids), settings)
    if needed > model.context_length:
        raise ValueError(
            f"a prompt of {len(prompt_ids)} tokens and generation.gen_length={settings.gen_length} need {needed} "
            f"positions, the model's context has {model.context_length}; shorten the prompt or gen_length"
        )
