"""The forwards of a response, with all nodes at once and node by node: two ways to the same logits."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd.measure.instrumentation import NodeByNode
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import KVCache, Window


class NodeIsolationProbe(MaskedDiffusionModel):
    """The same model, which evaluates the nodes of every window forward one by one as well.

    difference: the largest so far between the two, relative to the largest logit of its forward; infinite where one of
    the two is no number.
    """

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config
        self._model, self._alone = model, NodeByNode(model)
        self.difference = 0.0

    def refresh(self, canvas: Tensor, window: Window) -> tuple[Tensor, KVCache]:
        return self._model.refresh(canvas, window)

    def window(self, states: Tensor, window: Window, context: KVCache | None = None) -> Tensor:
        together = self._model.window(states, window, context)
        if len(states) > 1:
            alone = self._alone.window(states, window, context)
            largest = alone.masked_fill(~alone.isfinite(), 0).abs().amax().clamp(min=torch.finfo(alone.dtype).tiny)
            apart = torch.where(together == alone, 0, together - alone).abs().amax() / largest
            self.difference = max(self.difference, float(apart.nan_to_num(nan=torch.inf)))
        return together
