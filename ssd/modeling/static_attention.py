"""Attention at static shapes: a context fills a part of its capacity, and a bias hides the rest."""

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
    """Attention of a static window forward over buffers of all layers."""

    def __init__(self, buffers: Sequence[Pair], capacity: int, nodes: int, keys: int, rows: int) -> None:
        """buffers: pairs [key_value_heads, at least capacity + `own_positions`, head_size], one per layer.

        capacity: the most positions of the context; keys: of each node's own; rows: queries of a node that share a key
        head.
        """
        self._capacity = capacity
        stop = capacity + self.own_positions(nodes, keys)
        self._buffers = [(key[None, :, :stop], value[None, :, :stop]) for key, value in buffers]

    @staticmethod
    @abstractmethod
    def own_positions(nodes: int, keys: int) -> int:
        """Return the number of positions behind the context that a forward writes."""

    @abstractmethod
    def resize(self, context: int) -> None:
        """Show the first `context` positions and hide the others. Only the device works."""


class PackedAttention(StaticAttention):
    """One attention of all nodes' queries over the context and the keys of all nodes; a bias hides the other nodes'.

    It computes products between nodes in vain, but needs no merging, and works in every dtype. A node's bits depend on
    its index, because its keys are at another place among all keys.
    """

    def __init__(self, buffers: Sequence[Pair], capacity: int, nodes: int, keys: int, rows: int) -> None:
        super().__init__(buffers, capacity, nodes, keys, rows)
        self._bias = lowest_bias(rows * nodes, capacity + nodes * keys, like=buffers[0][0])
        # Queries are ordered by row, then by node: a forward with fewer rows uses the bias's first rows.
        of_query = torch.arange(rows * nodes, device=self._bias.device)[:, None] % nodes
        of_key = torch.arange(nodes * keys, device=self._bias.device) // keys
        self._bias[:, capacity:].masked_fill_(of_query == of_key, 0)

    @staticmethod
    def own_positions(nodes: int, keys: int) -> int:
        return nodes * keys

    def resize(self, context: int) -> None:
        self._bias[:, :context] = 0
        self._bias[:, context : self._capacity] = lowest(self._bias.dtype)

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        (keys, values), (nodes, heads, window, head_size) = self._buffers[index], query.shape
        for buffer, own in ((keys, key), (values, value)):
            buffer[0, :, self._capacity :].unflatten(1, (nodes, -1)).copy_(own.transpose(0, 1))
        grouped = query.reshape(nodes, keys.shape[1], -1, head_size)
        packed = grouped.permute(1, 2, 0, 3).flatten(1, 2)[None]
        mixed = F.scaled_dot_product_attention(packed, keys, values, attn_mask=self._bias[: packed.shape[2]])
        apart = mixed[0].unflatten(1, (-1, nodes)).permute(2, 0, 1, 3)
        result: Tensor = apart.reshape(nodes, heads, window, head_size)
        return result


class SplitAttention(StaticAttention):
    """Two attentions merged by their log-sum-exps: all nodes' queries over the context, each node's over its own keys.

    A device without a kernel that returns log-sum-exps computes one softmax over all scores.
    """

    def __init__(self, buffers: Sequence[Pair], capacity: int, nodes: int, keys: int, rows: int) -> None:
        super().__init__(buffers, capacity, nodes, keys, rows)
        self._bias = lowest_bias(1, capacity, like=buffers[0][0])

    @staticmethod
    def own_positions(nodes: int, keys: int) -> int:
        return 0

    def resize(self, context: int) -> None:
        self._bias[:, :context] = 0
        self._bias[:, context:] = lowest(self._bias.dtype)

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        keys, values = self._buffers[index]
        attend = attend_split if has_fused(query, query.shape[-1]) else attend_joint
        return attend(query, key, value, keys[0], values[0], stored_bias=self._bias)


def static_attention_for(nodes: int, packed_nodes: int) -> type[StaticAttention]:
    """Return the kind of attention for `nodes` nodes; packed_nodes: see `PACKED_NODES`."""
    return SplitAttention if nodes > packed_nodes else PackedAttention
