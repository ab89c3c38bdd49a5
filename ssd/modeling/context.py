"""Windows and contexts: the one mechanism behind every cache mode (DESIGN: window and context make the cache)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """Positions [start, stop) that a forward recomputes, and [first_row, last_row) whose logits are wanted.

    All positions are absolute in a canvas of `length` tokens; everything outside the window is context.
    """

    start: int
    stop: int
    first_row: int
    last_row: int
    length: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.first_row <= self.last_row <= self.stop <= self.length:
            raise ValueError(f"{self}: expected 0 <= start <= first_row <= last_row <= stop <= length")

    @property
    def size(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> int:
        return self.last_row - self.first_row

    @property
    def is_whole(self) -> bool:
        return self.size == self.length


@dataclass
class Context:
    """Keys and values of the positions outside one window, frozen at that window's refresh forward.

    Each layer's pair is [key_value_heads, context, head_size]. It is written once per refresh and only read after.
    """

    window: Window
    layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def freeze(self, key: Tensor, value: Tensor) -> None:
        """Keep the next layer's pair out of a whole canvas' [1, key_value_heads, length, head_size]."""
        start, stop = self.window.start, self.window.stop
        self.layers.append(
            (
                torch.cat((key[0, :, :start], key[0, :, stop:]), dim=1),
                torch.cat((value[0, :, :start], value[0, :, stop:]), dim=1),
            )
        )
