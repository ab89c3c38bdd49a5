"""Keys and values that stay where they are in memory: every refresh freezes its context into the same rooms."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ssd.modeling.attention import Pair
from ssd.modeling.context import Context


class Rooms:
    """Buffers of all layers, each pair [key_value_heads, positions, head_size], of one context at a time."""

    def __init__(self, layers: int, heads: int, head_size: int) -> None:
        self._layers, self._heads, self._head_size = layers, heads, head_size
        self.buffers: list[Pair] = []
        self.owner: StaticContext | None = None

    def fit(self, positions: int, like: Tensor) -> bool:
        """Make room for so many positions, in the dtype and on the device of `like`; whether the buffers moved.

        Rooms begin as zeros, for what a bias hides must be numbers all the same.
        """
        if self.buffers and self.buffers[0][0].shape[1] >= positions:
            return False
        self.buffers.clear()  # before as much again is asked for
        shape = (self._heads, positions, self._head_size)
        self.buffers += [(like.new_zeros(shape), like.new_zeros(shape)) for _ in range(self._layers)]
        return True


@dataclass(eq=False)
class StaticContext(Context):
    """A context in `rooms`, which are its own until the next refresh."""

    store: Rooms = field(kw_only=True)

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
