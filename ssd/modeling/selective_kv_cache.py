"""A cache of the positions that a window needs most."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.attention import widest
from ssd.modeling.kv_cache import KVCache


@dataclass
class SelectiveKVCache(KVCache):
    """Keys and values of those positions outside a window that the window's rows attend to most (arXiv 2508.02558).

    Every layer keeps a share of `retention`. A key's score is the mean over all heads of its product with the rows'
    mean query, and then the highest among `kernel` neighbours, the window cut out. Ties go to the lower position.
    """

    retention: float = field(kw_only=True)
    kernel: int = field(kw_only=True)
    _query: Tensor = field(init=False, repr=False)

    @property
    def size(self) -> int:
        return int(self.retention * (self.window.length - self.window.size))

    def observe(self, query: Tensor) -> None:
        """Take the rotated queries [1, heads, length, head_size] of a layer before its `write`.

        In the last layer they end with the rows, and others may be missing.
        """
        window, whole = self.window, query.shape[2] == self.window.length
        rows = slice(window.first_row, window.last_row) if whole else slice(query.shape[2] - window.rows, None)
        self._query = query[0, :, rows].to(widest(query.dtype)).mean(dim=1)

    def write(self, index: int, key: Tensor, value: Tensor) -> None:
        kept = self._best(key[0])
        pair: list[Tensor] = []
        for states in (key[0], value[0]):
            buffer = states.new_empty(states.shape[0], self.size + self.window.size, states.shape[2])
            buffer[:, : self.size] = states[:, kept]
            pair.append(buffer)
        self.buffers[index:] = [(pair[0], pair[1])]
        self.layers[index:] = [(pair[0][:, : self.size], pair[1][:, : self.size])]

    def _best(self, key: Tensor) -> Tensor:
        """Return int64 [size], ascending: the selected positions; key: [key_value_heads, length, head_size]."""
        heads = self._query.unflatten(0, (key.shape[0], -1)).sum(dim=1) / len(self._query)
        scores = torch.einsum("hd,hnd->n", heads, key.to(heads.dtype))
        outside = torch.arange(self.window.length - self.window.size, device=key.device)
        outside += self.window.size * (outside >= self.window.start)
        pooled = F.max_pool1d(scores[None, outside], self.kernel, stride=1, padding=self.kernel // 2)[0]
        best = pooled.argsort(descending=True, stable=True)[: self.size]
        return outside[best.sort().values]
