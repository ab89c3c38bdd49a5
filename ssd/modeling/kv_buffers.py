"""Keys and values that stay where they are in memory: every refresh freezes its context into the same rooms."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ssd.modeling.attention import Pair
from ssd.modeling.kv_cache import KVCache


class KVBuffers:
    """Buffers of all layers, each pair [key_value_heads, positions, head_size], of one context at a time."""

    def __init__(self, layers: int, heads: int, head_size: int) -> None:
        self._layers, self._heads, self._head_size = layers, heads, head_size
        self._all = torch.empty(0)
        self.buffers: list[Pair] = []
        self.owner: StaticKVCache | None = None

    def hold(self, positions: int) -> bool:
        """Whether there is room for so many positions."""
        return bool(self.buffers) and self.buffers[0][0].shape[1] >= positions

    def grow(self, positions: int, like: Tensor) -> None:
        """Make room for so many positions, in the dtype and on the device of `like`, in place of what there was."""
        self.buffers.clear()
        self.owner, self._all = None, torch.empty(0)  # before as much again is asked for
        self._all = like.new_zeros(self._layers, 2, self._heads, positions, self._head_size)
        self.buffers += [(keys, values) for keys, values in self._all]

    def blank(self, start: int, stop: int) -> None:
        """Zero the positions [start, stop) of all layers: what a bias hides must be numbers all the same.

        An earlier context may have left an overflow there, and a weight of 0 times infinity is no number.
        """
        self._all[..., start:stop, :] = 0


@dataclass(eq=False)
class StaticKVCache(KVCache):
    """A context in `rooms`, which are its own until the next refresh."""

    store: KVBuffers = field(kw_only=True)

    def __post_init__(self) -> None:
        self.store.owner = self

    def check(self) -> None:
        """Raise RuntimeError if a later refresh has taken over the rooms."""
        if self.store.owner is not self:
            raise RuntimeError(
                f"the context around {self.window} is gone, for a later refresh has written over it; a decoder that "
                "goes back to an earlier context needs runtime.engine=eager"
            )

    def _room(self, index: int, key: Tensor, value: Tensor) -> Pair:
        keys, values = self.store.buffers[index]
        return keys[:, : self.window.length], values[:, : self.window.length]
