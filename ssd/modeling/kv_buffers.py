"""Keys and values at fixed addresses: every refresh writes its context into the same buffers."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ssd.modeling.attention import Pair
from ssd.modeling.growing_kv_cache import GrowingKVCache
from ssd.modeling.kv_cache import KVCache


class KVBuffers:
    """Buffers of all layers, a pair [key_value_heads, positions, head_size] each. They store one context at a time."""

    def __init__(self, layers: int, heads: int, head_size: int) -> None:
        self._layers, self._heads, self._head_size = layers, heads, head_size
        self._all = torch.empty(0)
        self.buffers: list[Pair] = []
        self.owner: StaticKVCache | StaticGrowingKVCache | None = None

    def fits(self, positions: int) -> bool:
        """Whether the buffers have at least `positions` positions."""
        return bool(self.buffers) and self.buffers[0][0].shape[1] >= positions

    def grow(self, positions: int, like: Tensor) -> None:
        """Replace the buffers by new ones of `positions` positions, in the dtype and on the device of `like`."""
        self.buffers.clear()
        self.owner, self._all = None, torch.empty(0)  # frees the old memory before the new is allocated
        self._all = like.new_zeros(self._layers, 2, self._heads, positions, self._head_size)
        self.buffers += [(keys, values) for keys, values in self._all]

    def blank(self, start: int, stop: int) -> None:
        """Set the positions [start, stop) of all layers to zero.

        An earlier context may have left infinities there. A hidden position has weight 0, and 0 · infinity is NaN.
        """
        self._all[..., start:stop, :] = 0


@dataclass(eq=False)
class StaticKVCache(KVCache):
    """A cache in shared buffers, which it owns until the next refresh."""

    store: KVBuffers = field(kw_only=True)

    def __post_init__(self) -> None:
        self.store.owner = self

    def check(self) -> None:
        """Raise RuntimeError if a later refresh has overwritten the buffers."""
        _check_owner(self.store, self, f"the cache around {self.window}")

    def _buffer(self, index: int, key: Tensor, value: Tensor) -> Pair:
        keys, values = self.store.buffers[index]
        return keys[:, : self.window.length], values[:, : self.window.length]


class StaticGrowingKVCache(GrowingKVCache):
    """A growing cache in shared buffers, which it owns until the next response."""

    def __init__(self, capacity: int, store: KVBuffers) -> None:
        super().__init__(capacity)
        self.memory, self.store = store.buffers, store
        store.owner = self

    def check(self) -> None:
        """Raise RuntimeError if a later response has overwritten the buffers."""
        _check_owner(self.store, self, f"the cache of {self.size} positions")


def _check_owner(store: KVBuffers, cache: object, name: str) -> None:
    if store.owner is not cache:
        raise RuntimeError(
            f"{name} is gone: a later refresh has written over it; a decoder that uses an earlier cache again needs "
            "runtime.engine=eager"
        )
