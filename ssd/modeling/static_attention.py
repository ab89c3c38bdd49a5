"""Attention at static shapes: the context has room for more positions than it fills, and a bias hides the rest."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.attention import Pair, attend_joint
from ssd.modeling.fused_attention import attend_split, has_fused, lowest, lowest_bias
from ssd.modeling.kv_cache import ContextAttention

PACKED_NODES = {"cpu": 1, "cuda": 8}
"""Largest number of nodes for which `PackedAttention` is used; above it, `SplitAttention`.

scripts/bench_forward.py times both. On a CPU `SplitAttention` is faster from two nodes on. No GPU has measured it yet.
"""


class StaticAttention(ContextAttention):
    """What a static window forward attends to: rooms [key_value_heads, at least `room_for`, head_size], layer by layer.

    capacity: positions the context may fill; nodes; keys: of each node's own.
    """

    def __init__(self, rooms: Sequence[Pair], capacity: int, nodes: int, keys: int, rows: int) -> None:
        """rows: queries of a node that share a key head."""
        self._capacity, self._nodes = capacity, nodes
        stop = capacity + self.own_room(nodes, keys)
        self._rooms = [(key[None, :, :stop], value[None, :, :stop]) for key, value in rooms]

    @staticmethod
    @abstractmethod
    def own_room(nodes: int, keys: int) -> int:
        """How many positions behind the context are written to."""

    @abstractmethod
    def resize(self, context: int) -> None:
        """Let the context fill its first `context` positions; no work but on the device."""


class PackedAttention(StaticAttention):
    """One attention: all nodes' queries over [context | the keys of all nodes], of which a bias hides the others'.

    It wastes the products of nodes with one another, spares the merging, and takes every dtype. A node's bits depend on
    its place, for its own keys stand at another one among all.
    """

    def __init__(self, rooms: Sequence[Pair], capacity: int, nodes: int, keys: int, rows: int) -> None:
        super().__init__(rooms, capacity, nodes, keys, rows)
        self._bias = lowest_bias(rows * nodes, capacity + nodes * keys, like=rooms[0][0])
        # The nodes' queries take turns, so that fewer rows of each are the bias's first rows.
        of_query = torch.arange(rows * nodes, device=self._bias.device)[:, None] % nodes
        of_key = torch.arange(nodes * keys, device=self._bias.device) // keys
        self._bias[:, capacity:].masked_fill_(of_query == of_key, 0)

    @staticmethod
    def own_room(nodes: int, keys: int) -> int:
        return nodes * keys

    def resize(self, context: int) -> None:
        self._bias[:, :context] = 0
        self._bias[:, context : self._capacity] = lowest(self._bias.dtype)

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        (keys, values), (nodes, heads, window, head_size) = self._rooms[index], query.shape
        for buffer, own in ((keys, key), (values, value)):
            buffer[0, :, self._capacity :].unflatten(1, (nodes, -1)).copy_(own.transpose(0, 1))
        grouped = query.reshape(nodes, keys.shape[1], -1, head_size)
        packed = grouped.permute(1, 2, 0, 3).flatten(1, 2)[None]
        mixed = F.scaled_dot_product_attention(packed, keys, values, attn_mask=self._bias[: packed.shape[2]])
        apart = mixed[0].unflatten(1, (-1, nodes)).permute(2, 0, 1, 3)
        return apart.reshape(nodes, heads, window, head_size)


class SplitAttention(StaticAttention):
    """Two attentions merged by their log-sum-exps: all nodes' queries over the context, each node's over its own.

    Where the device has no kernel that tells these, there is one softmax over the scores of both.
    """

    def __init__(self, rooms: Sequence[Pair], capacity: int, nodes: int, keys: int, rows: int) -> None:
        super().__init__(rooms, capacity, nodes, keys, rows)
        self._bias = lowest_bias(1, capacity, like=rooms[0][0])

    @staticmethod
    def own_room(nodes: int, keys: int) -> int:
        return 0

    def resize(self, context: int) -> None:
        self._bias[:, :context] = 0
        self._bias[:, context:] = lowest(self._bias.dtype)

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        keys, values = self._rooms[index]
        attend = attend_split if has_fused(query, query.shape[-1]) else attend_joint
        return attend(query, key, value, keys[0], values[0], frozen_bias=self._bias)


def static_attention_for(nodes: int, packed_nodes: int) -> type[StaticAttention]:
    """The layout for so many nodes."""
    return SplitAttention if nodes > packed_nodes else PackedAttention
