"""Keys and values of finished blocks, appended block by block: the exact cache of block-causal models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ssd.modeling.attention import Pair, attend
from ssd.modeling.kv_cache import ContextAttention


class GrowingKVCache:
    """Final keys and values of the positions [0, size) of one canvas of at most `capacity` positions.

    memory: a pair [key_value_heads, capacity, head_size] per layer. Windows use the space behind `size` as scratch
    memory.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self.memory: list[Pair] = []

    def extend(self, start: int, stop: int) -> Extension:
        """Return the writer of the positions [start, stop), which are stored from now on.

        Raises ValueError unless they follow the stored ones and fit into the capacity.
        """
        if start != self.size or not start < stop <= self.capacity:
            raise ValueError(
                f"positions {start} to {stop} cannot be stored: {self.size} of {self.capacity} positions are, and the "
                "next ones follow them"
            )
        self.size = stop
        return Extension(self, start, stop)

    def rewind(self, size: int) -> None:
        """Keep the first `size` positions; the others can be stored again."""
        self.size = min(self.size, size)


@dataclass(frozen=True)
class Extension:
    """Writes the keys and values of the positions [start, stop)."""

    cache: GrowingKVCache
    start: int
    stop: int

    def write(self, index: int, key: Tensor, value: Tensor) -> None:
        """Store the pair of layer `index`, [1, key_value_heads, stop - start, head_size]."""
        memory = self.cache.memory
        if index == len(memory):
            _, heads, _, head_size = key.shape
            shape = (heads, self.cache.capacity, head_size)
            memory.append((key.new_empty(shape), value.new_empty(shape)))
        for buffer, states in zip(memory[index], (key[0], value[0]), strict=True):
            buffer[:, self.start : self.stop] = states


@dataclass(frozen=True)
class StoredContext(ContextAttention):
    """Attention over the first `size` positions of a growing cache."""

    cache: GrowingKVCache
    size: int

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        keys, values = self.cache.memory[index]
        end = self.size + key.shape[2]
        stored, buffer = (keys[:, : self.size], values[:, : self.size]), (keys[:, :end], values[:, :end])
        return attend(query, key, value, stored, buffer, visible)


@lru_cache(maxsize=8)
def block_causal(start: int, stop: int, block: int, device: torch.device) -> Tensor | None:
    """Return bool [window, window]: the positions (columns) that each position (row) of [start, stop) attends to.

    A position attends to its own block and to all blocks before it. None if the window has one block.
    """
    if start // block == (stop - 1) // block:
        return None
    blocks = torch.arange(start, stop, device=device) // block
    return blocks[None] <= blocks[:, None]
