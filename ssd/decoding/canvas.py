"""The canvas of one sample, its blocks, and the windows that each cache mode recomputes for a block."""

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
    """Response positions [start, stop) in canvas coordinates, with the windows of its forwards.

    States cover [start, span_stop): the block, and more only where a decoder drafts into the blocks that follow.
    refresh: the window and rows of the block's first forward; window: of all the others.
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
        """The blocks from left to right, each spanning up to `lookahead` of the blocks after it."""
        for index in range(settings.blocks):
            start = self.prompt_length + index * settings.block_length
            yield block_at(index, start, self.length, settings, logits_shift, lookahead)

    def is_ended(self, block: Block) -> bool:
        """Whether every position of a finished block holds an end token."""
        ends = torch.tensor(self.special.end_ids)
        return bool(torch.isin(self.tokens[block.start : block.stop], ends).all())

    def fill_after(self, block: Block) -> int:
        """Fill all positions after a block with EOS; returns how many."""
        rest = self.tokens[block.stop :]
        rest.fill_(self.special.fill_id)
        return rest.shape[0]


def commits_block_start(settings: GenerationSettings, logits_shift: int) -> bool:
    """Whether the refresh forward commits a block's first position whatever its confidence (shifted logits, cached)."""
    return logits_shift > 0 and settings.cache != "none" and settings.block_start == "commit_first"


def block_at(
    index: int, start: int, length: int, settings: GenerationSettings, logits_shift: int, lookahead: int = 0
) -> Block:
    """The windows of a block: `none` recomputes the canvas, `prefix` block and suffix, `dual` the span (2505.22618).

    With shifted logits the block's first position is predicted from outside the block: either the refresh forward
    commits it, or (`ranked`) the window begins that much earlier.
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
    """Raise ValueError for a prompt that cannot be decoded, before any forward is spent on it."""
    if not prompt_ids:
        raise ValueError("the prompt is empty; a response needs at least one prompt token to stand on")
    if special.mask_id in prompt_ids:
        where = list(prompt_ids).index(special.mask_id)
        raise ValueError(
            f"the prompt holds the mask id {special.mask_id} at position {where}; prompts must be unmasked"
        )
    outside = [token for token in prompt_ids if not 0 <= token < model.vocabulary_size]
    if outside:
        raise ValueError(f"prompt id {outside[0]} lies outside the model's vocabulary of {model.vocabulary_size}")
    needed = len(prompt_ids) + settings.gen_length
    if needed > model.context_length:
        raise ValueError(
            f"a prompt of {len(prompt_ids)} tokens and generation.gen_length={settings.gen_length} need {needed} "
            f"positions, the model's context has {model.context_length}; shorten the prompt or gen_length"
        )
