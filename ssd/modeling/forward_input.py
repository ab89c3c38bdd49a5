"""Inputs of a forward: windows of one or several canvases, and the rows whose logits are needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.modeling.growing_kv_cache import Extension
from ssd.modeling.kv_cache import ContextAttention, KVCache, SlidingKVCache


@dataclass(frozen=True)
class ForwardInput:
    """One window of a forward: tokens [nodes, window], at the positions from `start` on.

    context: attention over the stored keys and values; None if there are none.
    written: the cache that this forward fills.
    positions [window], visible [window, keys]: for a window that is not a run of positions (see `attend`). The
    positions are then any of the `window` ones from `start` on, or any below `below`.
    padding: number of positions at the window's end that no other position attends to.
    logit_rows: the window's indices whose hidden states are returned, a slice or int64 [rows]; None: all.
    stored: a window of one canvas on the left, computed first in every layer of the same forward, whose keys and values
    `context` includes. Its logit rows come before those of every node.
    replay: returns these hidden states [nodes, logit rows, hidden_size] from a forward that was captured, or differs.
    """

    tokens: Tensor
    start: int = 0
    context: ContextAttention | None = None
    written: KVCache | SlidingKVCache | Extension | None = None
    positions: Tensor | None = None
    visible: Tensor | None = None
    padding: int = 0
    below: int | None = None
    logit_rows: slice | Tensor | None = None
    stored: ForwardInput | None = None
    replay: Callable[[], Tensor] | None = None

    @property
    def stop(self) -> int:
        """The end of the window: all positions are below it."""
        return self.start + self.tokens.shape[1] if self.below is None else self.below

    def each_position(self) -> Tensor:
        """Return int64 [nodes · window] on the tokens' device."""
        positions = self.positions
        if positions is None:
            positions = torch.arange(self.start, self.stop, device=self.tokens.device)
        return positions.expand(self.tokens.shape).flatten()


def with_stored(inputs: Sequence[ForwardInput]) -> list[ForwardInput]:
    """Return all windows of a forward; a stored one comes before the window that attends to it."""
    return [window for each in inputs for window in ((each,) if each.stored is None else (each.stored, each))]


def logit_row_indices(inputs: Sequence[ForwardInput]) -> Tensor | None:
    """Return int64 indices of the logit rows among the rows of all inputs in order; None if they are all rows."""
    if not any(isinstance(each.logit_rows, Tensor) for each in inputs) and all(
        logit_row_count(each) == each.tokens.numel() for each in inputs
    ):
        return None
    rows = torch.arange(sum(each.tokens.numel() for each in inputs), device=inputs[0].tokens.device)
    split = rows.split([each.tokens.numel() for each in inputs])
    return torch.cat(
        [
            own.view(each.tokens.shape)[:, slice(None) if each.logit_rows is None else each.logit_rows].flatten()
            for each, own in zip(inputs, split, strict=True)
        ]
    )


def logit_row_count(forward_input: ForwardInput) -> int:
    """Return the number of logit rows of all nodes together."""
    nodes, window = forward_input.tokens.shape
    rows = forward_input.logit_rows
    if isinstance(rows, Tensor):
        return nodes * len(rows)
    return nodes * (window if rows is None else len(range(window)[rows]))
