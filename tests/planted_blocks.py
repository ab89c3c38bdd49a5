"""Wrong decoders of several blocks: each claims to be lossless, none is, and the audit must grade it so."""

from unittest.mock import patch

import torch

from ssd.decoding import canvas as grid
from ssd.decoding.rule import SteppingRule
from ssd.modeling.attention import attend
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.growing_kv_cache import StoredContext, block_causal
from ssd.speculation.decoder import SelfSpeculative


class KeepsTheLastDenoisingForward(SelfSpeculative):
    """Stores a block as its last forward has computed it: the tokens that this forward commits are masks there."""

    def decode(self, model, prompt_ids, settings, special):
        return super().decode(_KeepsStates(model.transformer), prompt_ids, settings, special)


class _KeepsStates(MaskedDiffusionModel):
    """Stores the states of the last forward in place of the finished block's tokens."""

    last: tuple[int, torch.Tensor] | None = None

    def window(self, states, window, kv_cache=None):
        self.last = window.start, states[0].clone()
        return super().window(states, window, kv_cache)

    def append(self, tokens, kv_cache, states=None, window=None):
        if self.last is not None and self.last[0] == kv_cache.size:
            tokens = self.last[1][: len(tokens)]
        if states is not None:
            self.last = window.start, states[0].clone()
        return super().append(tokens, kv_cache, states, window)


class SeesToItsRight(SelfSpeculative):
    """Drafts into later blocks, and lets each block of a window attend to those on its right."""

    def __init__(self, depth: int = 8) -> None:
        super().__init__(depth, lookahead=1)

    def decode(self, model, prompt_ids, settings, special):
        wrong = _SeesAll(model.transformer)
        wrong.first = grid.first_start(len(prompt_ids), settings)
        return super().decode(wrong, prompt_ids, settings, special)


class _SeesAll(MaskedDiffusionModel):
    first = 0

    def _visible(self, start, stop):
        return None if start >= self.first else super()._visible(start, stop)


class CountsFromThePrompt(SelfSpeculative):
    """Begins its blocks at the prompt's end, as models with full attention do, and not on the grid from position 0."""

    def decode(self, model, prompt_ids, settings, special):
        wrong = _OtherGrid(model.transformer)
        wrong.by = -len(prompt_ids) % settings.block_length
        end = len(prompt_ids) + settings.gen_length
        end += -settings.gen_length % settings.block_length
        with (
            patch.object(grid, "first_start", lambda prompt_length, settings: prompt_length),
            patch.object(grid, "canvas_length", lambda prompt_length, settings: end),
        ):
            return super().decode(wrong, prompt_ids, settings, special)


class _OtherGrid(MaskedDiffusionModel):
    by = 0

    def _visible(self, start, stop):
        return block_causal(start + self.by, stop + self.by, self.config.causal_block, self.device)

    def _check_append(self, start, stop, window):
        """Any grid will do."""


class AppendsTwice(SelfSpeculative):
    """Attends to each stored block twice, as where a context has been appended a second time."""

    def decode(self, model, prompt_ids, settings, special):
        with patch.object(StoredContext, "attend", _attend_twice(settings.block_length)):
            return super().decode(model, prompt_ids, settings, special)


def _attend_twice(block):
    def twice(self, index, query, key, value, visible):
        kept = [part[:, : self.size] for part in self.cache.memory[index]]
        return attend(
            query, key, value, tuple(torch.cat((part, part[:, -block:]), dim=1) for part in kept), None, visible
        )

    return twice


class SubBlocksOffByOne(SelfSpeculative):
    """Begins every sub-block but the first one position late."""

    def decode(self, model, prompt_ids, settings, special):
        with patch.object(SteppingRule, "_part", _part_off_by_one):
            return super().decode(model, prompt_ids, settings, special)


def _part_off_by_one(self, masked):
    rows, length = masked.shape[1], self.settings.part_length
    return torch.where(masked, (torch.arange(rows) - 1).clamp(min=0) // length, rows)


class PicksAhead(SelfSpeculative):
    """Drafts into later blocks, and picks in them before the current block is full."""

    def __init__(self, depth: int = 8) -> None:
        super().__init__(depth, lookahead=1)

    def decode(self, model, prompt_ids, settings, special):
        with patch.object(SteppingRule, "_part", lambda self, masked: torch.where(masked, 0, masked.shape[1])):
            return super().decode(model, prompt_ids, settings, special)


class ReadsStaleLaterBlocks(SelfSpeculative):
    """Drafts into later blocks, and reads their logits of the current state for every drafted one."""

    def __init__(self, depth: int = 8) -> None:
        super().__init__(depth, lookahead=1)

    def decode(self, model, prompt_ids, settings, special):
        stale = _Stale(model.transformer)
        stale.block = settings.block_length
        return super().decode(stale, prompt_ids, settings, special)


class _Stale(MaskedDiffusionModel):
    block = 0

    def window(self, states, window, kv_cache=None):
        logits = super().window(states, window, kv_cache)
        logits[1:, self.block :] = logits[:1, self.block :]
        return logits


WRONG_IN_LATER_BLOCKS = (PicksAhead, ReadsStaleLaterBlocks)
"""Wrong with full attention."""
WRONG_IN_BLOCKS = (
    KeepsTheLastDenoisingForward,
    SeesToItsRight,
    CountsFromThePrompt,
    AppendsTwice,
    SubBlocksOffByOne,
)
"""Wrong with block-causal attention."""
