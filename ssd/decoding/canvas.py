"""The canvas of one sample, its blocks, and the windows that each cache mode computes for a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.settings import GenerationSettings, SpecialTokens
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


class Canvas:
    """Prompt and response of one sample on the host; the response starts fully masked."""

    def __init__(self, prompt_ids: Sequence[int], settings: GenerationSettings, special: SpecialTokens) -> None:
        self.prompt_length = len(prompt_ids)
        self.special = special
        response = [special.mask_id] * settings.gen_length
        self.tokens: Tensor = torch.tensor([*prompt_ids, *response], dtype=torch.int64)

    @property
    def length(self) -> int:
        return self.tokens.shape[0]

    @property
    def response(self) -> Tensor:
        return self.tokens[self.prompt_length :]

    def blocks(self, settings: GenerationSettings, logits_shift: int, lookahead: int = 0) -> Iterator[Block]:
        """Yield the blocks from left to right; their states include up to `lookahead` later blocks."""
        for index in range(settings.blocks):
            start = self.prompt_length + index * settings.block_length
            yield block_at(index, start, self.length, settings, logits_shift, lookahead)

    def is_ended(self, block: Block) -> bool:
        """Whether every position of a finished block holds an end token."""
        ends = torch.tensor(self.special.end_ids)
        return bool(torch.isin(self.tokens[block.start : block.stop], ends).all())

    def fill_after(self, block: Block) -> int:
        """Fill all positions after a block with EOS. Returns their number."""
        rest = self.tokens[block.stop :]
        rest.fill_(self.special.fill_id)
        return rest.shape[0]


def commits_block_start(settings: GenerationSettings, logits_shift: int) -> bool:
    """Whether the refresh forward always commits a block's first position (shifted logits with a cache)."""
    return logits_shift > 0 and settings.cache != "none" and settings.block_start == "commit_first"


def block_at(
    index: int, start: int, length: int, settings: GenerationSettings, logits_shift: int, lookahead: int = 0
) -> Block:
    """Return the block at `start` with its windows (arXiv 2505.22618).

    Cache `none` computes the whole canvas, `prefix` the block and everything after it, `dual` the span.
    With shifted logits, the prediction of the block's first position is made outside the block. Either the refresh
    forward commits that position, or (`ranked`) the window begins earlier.
    """
    stop = start + settings.block_length
    span_stop = min(stop + lookahead * settings.block_length, length)
    lead = 0 if commits_block_start(settings, logits_shift) else logits_shift
    first, last = {"none": (0, length), "prefix": (start - lead, length), "dual": (start - lead, span_stop)}[
        settings.cache
    ]
    first_row = start + 1 if commits_block_start(settings, logits_shift) else start
    return Block(
        index=index,
        start=start,
        stop=stop,
        span_stop=span_stop,
        refresh=Window(first, last, start, span_stop, length),
        window=Window(first, last, first_row, span_stop, length),
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
    needed = len(prompt_ids) + settings.gen_length
    if needed > model.context_length:
        raise ValueError(
            f"a prompt of {len(prompt_ids)} tokens and generation.gen_length={settings.gen_length} need {needed} "
            f"positions, the model's context has {model.context_length}; shorten the prompt or gen_length"
        )
