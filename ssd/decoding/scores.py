"""What a forward's logits say, reduced on the device and brought to the host in one copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Scores:
    """Per node and block position, on the host: the token a pick would commit, and how sure the model is.

    token: int64 [nodes, rows]; confidence: float64 [nodes, rows], what the ranking sorts by;
    probability: float64 [nodes, rows], the token's own;
    other_token, other_probability: the runner-up's, where asked for.
    """

    token: Tensor
    confidence: Tensor
    probability: Tensor
    other_token: Tensor
    other_probability: Tensor

    @classmethod
    def to_host(cls, *fields: Tensor) -> Scores:
        """The fields in order, in a single copy from the device; token ids are exact in float64."""
        host = torch.stack([field.double() for field in fields]).cpu()
        if torch.isnan(host[1]).any():
            raise FloatingPointError("the model's logits are not finite; try runtime.dtype=float32")
        return cls(host[0].long(), host[1], host[2], host[3].long(), host[4])

    def node(self, index: int) -> Scores:
        """The scores of one node, still with a nodes axis: [1, rows]."""
        return self._each(lambda field: field[index : index + 1])

    def repeat(self, nodes: int) -> Scores:
        """One node's scores seen as those of `nodes` nodes (views, no copies)."""
        return self._each(lambda field: field.expand(nodes, -1))

    def lead_with(self, rows: int) -> Scores:
        """Prepend `rows` positions that this forward cannot predict and that are never masked."""
        return self._each(lambda field: F.pad(field, (rows, 0)))

    def _each(self, change: Callable[[Tensor], Tensor]) -> Scores:
        return Scores(*(change(getattr(self, name)) for name in self.__dataclass_fields__))
