"""A probe that compares logits of nodes computed together with logits of nodes computed alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd.measure.instrumentation import NodeByNode
from ssd.modeling.forwards import Context, DelegatingModel, DiffusionModel
from ssd.modeling.growing_kv_cache import GrowingKVCache
from ssd.modeling.kv_cache import Window
from ssd.modeling.path_kv_cache import PackedRows, PathKVCache


class NodeIsolationProbe(DelegatingModel):
    """The same model, which also computes the nodes of every window forward one by one.

    difference: the largest so far between the two, relative to the largest logit of its forward; infinite where one of
    them is not a number.
    """

    def __init__(self, inner: DiffusionModel) -> None:
        super().__init__(inner)
        self._alone = NodeByNode(inner)
        self.difference = 0.0

    def window(self, states: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        together = self.inner.window(states, window, kv_cache)
        if len(states) > 1:
            self._compare(together, self._alone.window(states, window, kv_cache))
        return together

    def append(
        self, tokens: Tensor, kv_cache: GrowingKVCache, states: Tensor | None = None, window: Window | None = None
    ) -> Tensor:
        together = self.inner.append(tokens, kv_cache, states, window)
        if states is not None and len(states) > 1:
            kv_cache.rewind(kv_cache.size - len(tokens))
            self._compare(together, self._alone.append(tokens, kv_cache, states, window))
        return together

    def recompute(self, rows: PackedRows, kv_cache: PathKVCache) -> Tensor:
        together = self.inner.recompute(rows, kv_cache)
        if rows.nodes > 1:
            self._compare(together, self._alone.recompute(rows, kv_cache))
        return together

    def _compare(self, together: Tensor, alone: Tensor) -> None:
        largest = alone.masked_fill(~alone.isfinite(), 0).abs().amax().clamp(min=torch.finfo(alone.dtype).tiny)
        apart = torch.where(together == alone, 0, together - alone).abs().amax() / largest
        self.difference = max(self.difference, float(apart.nan_to_num(nan=torch.inf)))
