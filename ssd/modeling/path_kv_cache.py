"""Keys and values of all positions of a canvas, each from the last forward that computed it; drafts have their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.config import ModelConfig
from ssd.modeling.kv_cache import ContextAttention


class PathKVCache:
    """Memory for the keys and values of one canvas, and behind them for those that drafted nodes compute.

    memory: [layers, 2, key_value_heads, columns, head_size]. The first `length` columns are the canvas' positions. A
    position counts as stored once a forward has computed it.
    """

    def __init__(self, config: ModelConfig, length: int, device: torch.device, dtype: torch.dtype) -> None:
        self.length = length
        shape = (config.layers, 2, config.key_value_heads, length, config.head_size)
        self.memory = torch.zeros(shape, device=device, dtype=dtype)

    def reserve(self, columns: int) -> None:
        """Enlarge the memory to at least `columns` columns. Hidden columns must be finite, so that it is all zeros."""
        have = self.memory.shape[3]
        if columns > have:
            self.memory = F.pad(self.memory, (0, 0, 0, max(columns, 2 * have) - have))

    def adopt(self, positions: Tensor, columns: Tensor) -> None:
        """Replace what is stored for these positions by what the columns hold; both int64 [rows], on the device."""
        self.memory.index_copy_(3, positions, self.memory.index_select(3, columns))


@dataclass(frozen=True)
class PackedRows:
    """The positions that a forward computes for each of its nodes, one node's behind the other's, on the host.

    tokens, positions, columns: int64 [rows]; columns: where the cache stores each row's keys and values;
    node: int64 [rows], of each row; logit_rows: int64 [nodes, wanted], indices of the rows whose logits are returned;
    seen: int64 [nodes, length], the column that each node reads for every position.
    """

    tokens: Tensor
    positions: Tensor
    columns: Tensor
    node: Tensor
    logit_rows: Tensor
    seen: Tensor

    @property
    def nodes(self) -> int:
        return len(self.seen)

    @property
    def counts(self) -> list[int]:
        """Number of rows of each node."""
        return self.node.bincount(minlength=self.nodes).tolist()

    @property
    def stop(self) -> int:
        """The end of the columns that the forward reads."""
        return int(self.seen.max()) + 1

    @property
    def reads_stored(self) -> bool:
        """Whether there is one node, which reads what is stored for each position."""
        return self.nodes == 1 and self.stop == self.seen.shape[1]

    def alone(self, node: int) -> PackedRows:
        """Return one node's rows. The nodes before it must have been computed."""
        own = self.node == node
        rows = {name: getattr(self, name)[own] for name in ("tokens", "positions", "columns")}
        first = int((self.node < node).sum())
        chosen = {"logit_rows": self.logit_rows[node, None] - first, "seen": self.seen[node, None]}
        return replace(self, **rows, **chosen, node=self.node[own] - node)


@dataclass(frozen=True)
class PathAttention(ContextAttention):
    """Attention of packed rows: they are written to `columns`, and read the first `stop` columns of the cache."""

    cache: PathKVCache
    columns: Tensor
    stop: int

    def attend(self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None) -> Tensor:
        keys, values = self.cache.memory[index]
        keys.index_copy_(1, self.columns, key[0])
        values.index_copy_(1, self.columns, value[0])
        keys, values = keys[None, :, : self.stop], values[None, :, : self.stop]
        grouped = query.shape[1] != keys.shape[1]
        return F.scaled_dot_product_attention(query, keys, values, attn_mask=visible, enable_gqa=grouped)
