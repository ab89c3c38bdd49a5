"""Windows and contexts: the one mechanism behind every cache mode (DESIGN: window and context make the cache)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from ssd.modeling.attention import Pair, attend


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
    def row_slice(self) -> slice:
        """Where the rows lie among the window's positions."""
        return slice(self.first_row - self.start, self.last_row - self.start)

    @property
    def is_whole(self) -> bool:
        return self.size == self.length

    @lru_cache(maxsize=64)  # noqa: B019
    def shadow_positions(self, device: torch.device) -> Tensor:
        """[size + rows]: the window's positions, then once more those of its rows, where their shadows stand."""
        positions = torch.arange(self.start, self.stop, device=device)
        return torch.cat((positions, positions[self.row_slice]))

    @lru_cache(maxsize=64)  # noqa: B019
    def shadow_visibility(self, device: torch.device) -> Tensor:
        """[size + rows, size + rows]: only shadows see shadows, and each sees all else but the row it stands for."""
        visible = torch.ones(self.size + self.rows, self.size + self.rows, dtype=torch.bool, device=device)
        visible[: self.size, self.size :] = False
        visible[self.size :, self.row_slice] = ~torch.eye(self.rows, dtype=torch.bool, device=device)
        return visible


class ContextAttention(ABC):
    """What a window's forward attends to beside its own rows."""

    @abstractmethod
    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        """Attention [nodes, heads, queries, head_size] in layer `index`, see `attend` in ssd/modeling/attention.py."""


class LayerPairs(ContextAttention):
    """Keys and values by layer: pairs [key_value_heads, context, head_size], and the same with room for a window."""

    layers: list[Pair]
    rooms: list[Pair]

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        return attend(query, key, value, self.layers[index], self.rooms[index], visible)


@dataclass
class KVCache(LayerPairs):
    """Keys and values of the positions outside one window, frozen at that window's refresh forward.

    layers: each layer's pair [key_value_heads, context, head_size], written once per refresh and only read after;
    rooms: the pair and behind it room for the window's own, [key_value_heads, context + window, head_size], into which
    a forward writes what it needs no longer than itself.
    """

    window: Window
    layers: list[Pair] = field(default_factory=list)
    rooms: list[Pair] = field(default_factory=list)

    def write(self, index: int, key: Tensor, value: Tensor) -> None:
        """Keep the pair of layer `index` out of a whole canvas' [1, key_value_heads, length, head_size]."""
        start, stop, context = self.window.start, self.window.stop, self.size
        room = self._room(index, key, value)
        for buffer, states in zip(room, (key[0], value[0]), strict=True):
            buffer[:, :start] = states[:, :start]
            buffer[:, start:context] = states[:, stop:]
        self.rooms[index:] = [room]
        self.layers[index:] = [(room[0][:, :context], room[1][:, :context])]

    @property
    def size(self) -> int:
        """How many positions are frozen."""
        return self.window.length - self.window.size

    def _room(self, index: int, key: Tensor, value: Tensor) -> Pair:
        """Room [key_value_heads, context + window, head_size] in layer `index`, for states like key and value."""
        return _empty_like(key, self.window.length), _empty_like(value, self.window.length)


class SlidingKVCache(LayerPairs):
    """Keys and values left of a window that only moves right, each as the last forward that recomputed it left it.

    layers: each layer's frozen pair [key_value_heads, window.start, head_size]; rooms: the pair and the window's own
    behind it. Both are views of buffers of `capacity` positions, where moving the window on freezes what it leaves.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.layers: list[Pair] = []
        self.rooms: list[Pair] = []
        self._start = self._stop = 0  # of the last forward
        self._buffers: list[Pair] = []

    def move(self, window: Window) -> None:
        """Freeze what the last forward left between its own start and that of `window`, the next one's."""
        if not self._start <= window.start <= self._stop or window.stop > self.capacity:
            raise ValueError(
                f"{window}: expected a start from {self._start} to {self._stop}, inside the last window, and a stop of "
                f"at most {self.capacity}, the capacity; begin another canvas with a new SlidingKVCache"
            )
        self._start, self._stop = window.start, window.stop
        if window.start:
            self.layers = [(key[:, : window.start], value[:, : window.start]) for key, value in self._buffers]
            self.rooms = [(key[:, : window.stop], value[:, : window.stop]) for key, value in self._buffers]

    def write(self, index: int, key: Tensor, value: Tensor) -> None:
        """Keep the window's pair of layer `index`, [1, key_value_heads, window, head_size], until it is recomputed."""
        if index == len(self._buffers):
            self._buffers.append((_empty_like(key, self.capacity), _empty_like(value, self.capacity)))
        for buffer, states in zip(self._buffers[index], (key[0], value[0]), strict=True):
            buffer[:, self._start : self._stop] = states


def _empty_like(states: Tensor, positions: int) -> Tensor:
    """Room [key_value_heads, positions, head_size] for states like [1, key_value_heads, any, head_size]."""
    _, heads, _, head_size = states.shape
    return states.new_empty(heads, positions, head_size)
