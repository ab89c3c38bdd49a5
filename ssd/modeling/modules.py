"""The modules of a layer. With the calls of `nn.Module`, a tiny forward would take 1.1 times as long on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd.modeling.attention import widest


class Quick(nn.Module):
    """A module that runs forward hooks and forward pre-hooks, but no global ones and none of a backward pass.

    Its weight must be a parameter: pruning and parametrisations, which replace parameters, are not supported.
    """

    _parameters: dict[str, Any]  # read from here, a weight is found without `nn.Module.__getattr__`

    def __call__(self, rows: Tensor) -> Tensor:
        """Return `forward` of rows [..., size]."""
        if self._forward_hooks or self._forward_pre_hooks:
            hooked: Tensor = super().__call__(rows)
            return hooked
        result: Tensor = self.forward(rows)
        return result


class RMSNorm(Quick):
    """Root mean square norm computed in float32 or wider (arXiv 1910.07467)."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.shape, self.epsilon = (size,), epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        weight, dtype = self._parameters["weight"], hidden.dtype
        if dtype == widest(dtype):
            return F.rms_norm(hidden, self.shape, weight, self.epsilon)
        # The published code rounds to 16 bits before it applies the weight.
        return F.rms_norm(hidden.to(widest(dtype)), self.shape, eps=self.epsilon).to(dtype).mul(weight)


class Linear(Quick, nn.Linear):
    """The product of rows with a weight, plus a bias if there is one."""

    def forward(self, rows: Tensor) -> Tensor:
        return F.linear(rows, self._parameters["weight"], self._parameters["bias"])
