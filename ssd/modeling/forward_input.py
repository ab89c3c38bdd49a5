"""What a forward is given: windows of one or several canvases, and which of their rows are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.modeling.kv_cache import ContextAttention, KVCache, SlidingKVCache


@dataclass(frozen=True)
class ForwardInput:
    """One window of a forward: tokens [nodes, window] at the positions from `start` on.

    context: frozen keys and values to attend to besides; keep: a context to fill from this forward;
    positions [window], visible [window, window]: for a window that is no plain run of positions: others among the
    `window` ones from `start` on, and who sees whom (see `attend`);
    padding: how many positions at the window's end nobody sees; wanted: the positions whose hidden states are asked
    for, all if None; replay: gives these, [nodes, wanted, hidden_size], where they need not be computed step by step.
    """

    tokens: Tensor
    start: int = 0
    context: ContextAttention | None = None
    keep: KVCache | SlidingKVCache | None = None
    positions: Tensor | None = None
    visible: Tensor | None = None
    padding: int = 0
    wanted: slice | None = None
    replay: Callable[[], Tensor] | None = None

    @property
    def stop(self) -> int:
        """All positions lie before it."""
        return self.start + self.tokens.shape[1]

    def each_position(self) -> Tensor:
        """[nodes · window], on the tokens' device."""
        positions = self.positions
        if positions is None:
            positions = torch.arange(self.start, self.stop, device=self.tokens.device)
        return positions.expand(self.tokens.shape).flatten()


def logit_row_indices(parts: Sequence[ForwardInput]) -> Tensor | None:
    """int64: which of the rows of all parts, laid one after the other, are wanted; None if all are."""
    if all(logit_row_count(part) == part.tokens.numel() for part in parts):
        return None
    rows = torch.arange(sum(part.tokens.numel() for part in parts), device=parts[0].tokens.device)
    each = rows.split([part.tokens.numel() for part in parts])
    return torch.cat(
        [
            own.view(part.tokens.shape)[:, part.wanted or slice(None)].flatten()
            for part, own in zip(parts, each, strict=True)
        ]
    )


def logit_row_count(part: ForwardInput) -> int:
    """How many rows of a part are wanted."""
    nodes, window = part.tokens.shape
    return nodes * (window if part.wanted is None else len(range(window)[part.wanted]))
