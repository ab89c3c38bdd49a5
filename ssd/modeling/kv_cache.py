"""Windows, and the keys and values of the positions outside them. Every cache mode is a choice of window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from ssd.modeling.attention import Pair, attend


@dataclass(frozen=True)
class Window:
    """Positions [start, stop) that a forward computes, and the rows [first_row, last_row) whose logits it returns.

    All bounds are indices in a canvas of `length` tokens. Everything outside the window is context.
    tail: the positions of the canvas' last tokens, ascending, if some before them are left out. All other indices are
    positions themselves. Raises ValueError unless the bounds are in this order.
    """

    start: int
    stop: int
    first_row: int
    last_row: int
    length: int
    tail: tuple[int, ...] = ()

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
    def row_slice(self) -> slice:
        """The rows, counted from the window's start."""
        return slice(self.first_row - self.start, self.last_row - self.start)

    @property
    def is_whole(self) -> bool:
        return self.size == self.length

    @property
    def below(self) -> int:
        """A number above all positions of the canvas."""
        return self.tail[-1] + 1 if self.tail else self.length

    @lru_cache(maxsize=64)  # noqa: B019
    def positions(self, device: torch.device) -> Tensor | None:
        """Return int64 [length]: the position of every index; None if they are the indices themselves."""
        if not self.tail:
            return None
        return torch.tensor([*range(self.length - len(self.tail)), *self.tail], device=device)

    @lru_cache(maxsize=64)  # noqa: B019
    def shadow_positions(self, device: torch.device) -> Tensor:
        """Return int64 [size + rows]: the window's positions, then the positions of its rows again for the shadows."""
        positions = torch.arange(self.start, self.stop, device=device)
        return torch.cat((positions, positions[self.row_slice]))

    @lru_cache(maxsize=64)  # noqa: B019
    def shadow_visibility(self, device: torch.device) -> Tensor:
        """Return bool [size + rows, size + rows]: the positions (columns) that each position (row) attends to.

        Only shadows attend to shadows. A shadow attends to everything except the row at its own position.
        """
        visible = torch.ones(self.size + self.rows, self.size + self.rows, dtype=torch.bool, device=device)
        visible[: self.size, self.size :] = False
        visible[self.size :, self.row_slice] = ~torch.eye(self.rows, dtype=torch.bool, device=device)
        return visible


class ContextAttention(ABC):
    """Attention of a window's queries over the context and the window's own rows."""

    @abstractmethod
    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        """Return attention [nodes, heads, queries, head_size] in layer `index`; see `ssd.modeling.attention.attend`."""


class LayerPairs(ContextAttention):
    """Stored keys and values of each layer.

    layers: a pair [key_value_heads, context, head_size] per layer; buffers: the same with space for a window behind it.
    """

    layers: list[Pair]
    buffers: list[Pair]

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        return attend(query, key, value, self.layers[index], self.buffers[index], visible)


@dataclass
class KVCache(LayerPairs):
    """Keys and values of the positions outside one window, written once by that window's refresh forward.

    buffers: pairs [key_value_heads, context + window, head_size]. A forward uses the space behind the context as
    scratch memory.
    """

    window: Window
    layers: list[Pair] = field(default_factory=list)
    buffers: list[Pair] = field(default_factory=list)

    def write(self, index: int, key: Tensor, value: Tensor) -> None:
        """Store the context's part of a whole canvas [1, key_value_heads, length, head_size] in layer `index`."""
        start, stop, context = self.window.start, self.window.stop, self.size
        pair = self._buffer(index, key, value)
        for buffer, states in zip(pair, (key[0], value[0]), strict=True):
            buffer[:, :start] = states[:, :start]
            buffer[:, start:context] = states[:, stop:]
        self.buffers[index:] = [pair]
        self.layers[index:] = [(pair[0][:, :context], pair[1][:, :context])]

    @property
    def size(self) -> int:
        """Number of stored positions."""
        return self.window.length - self.window.size

    def _buffer(self, index: int, key: Tensor, value: Tensor) -> Pair:
        """Return memory [key_value_heads, context + window, head_size] for layer `index`, in the dtype of the pair."""
        return _empty_like(key, self.window.length), _empty_like(value, self.window.length)


class SlidingKVCache(LayerPairs):
    """Keys and values left of a window that only moves right, each from the last forward that computed its position.

    layers: pairs [key_value_heads, window.start, head_size]; buffers: the same with the window's own behind it.
    Both are views of memory for `capacity` positions. The window leaves its values there when it moves on.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.layers: list[Pair] = []
        self.buffers: list[Pair] = []
        self._start = self._stop = 0  # of the last forward
        self._memory: list[Pair] = []

    def move(self, window: Window) -> None:
        """Begin a forward over `window`: positions before its start are stored from now on.

        Raises ValueError unless the window starts inside the last one and ends within the capacity.
        """
        if not self._start <= window.start <= self._stop or window.stop > self.capacity:
            raise ValueError(
                f"{window}: expected a start from {self._start} to {self._stop}, inside the last window, and a stop of "
                f"at most {self.capacity}, the capacity; begin another canvas with a new SlidingKVCache"
            )
        self._start, self._stop = window.start, window.stop
        if window.start:
            self.layers = [(key[:, : window.start], value[:, : window.start]) for key, value in self._memory]
            self.buffers = [(key[:, : window.stop], value[:, : window.stop]) for key, value in self._memory]

    def write(self, index: int, key: Tensor, value: Tensor) -> None:
        """Store the window's pair of layer `index`, [1, key_value_heads, window, head_size], until the next forward."""
        if index == len(self._memory):
            self._memory.append((_empty_like(key, self.capacity), _empty_like(value, self.capacity)))
        for buffer, states in zip(self._memory[index], (key[0], value[0]), strict=True):
            buffer[:, self._start : self._stop] = states


def _empty_like(states: Tensor, positions: int) -> Tensor:
    """Return memory [key_value_heads, positions, head_size] for states [1, key_value_heads, any, head_size]."""
    _, heads, _, head_size = states.shape
    return states.new_empty(heads, positions, head_size)
