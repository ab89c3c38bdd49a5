"""What a forward's logits say, reduced on the device and brought to the host in one copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class KeptLogits:
    """Logits that stay on the device, because at a temperature above 0 later steps draw other tokens from them.

    values: [nodes, rows, vocabulary]; first_position: of their first row, in the canvas.
    """

    values: Tensor
    first_position: int


@dataclass(frozen=True)
class Scores:
    """Per node and block position, on the host: the token a pick would commit, and how sure the model is.

    step: int64 [nodes], the step that picks from these scores belong to; token: int64 [nodes, rows];
    confidence: float64 [nodes, rows], what the ranking sorts by; probability: float64 [nodes, rows], the token's own;
    other_token, other_probability: the runner-up's, where asked for.
    """

    step: Tensor
    token: Tensor
    confidence: Tensor
    probability: Tensor
    other_token: Tensor
    other_probability: Tensor
    kept: KeptLogits | None = None

    @classmethod
    def to_host(cls, step: Tensor, *fields: Tensor, kept: KeptLogits | None = None) -> Scores:
        """The fields in order, in a single copy from the device; token ids are exact in float64."""
        host = torch.stack([field.double() for field in fields]).cpu()
        if torch.isnan(host[1:3]).any():
            raise FloatingPointError("the model's logits are not finite; try runtime.dtype=float32")
        return cls(step, host[0].long(), host[1], host[2], host[3].long(), host[4], kept)

    def node(self, index: int) -> Scores:
        """The scores of one node, still with a nodes axis: [1, rows]."""
        kept = self.kept and replace(self.kept, values=self.kept.values[index : index + 1])
        alone = self._each(lambda field: field[index : index + 1])
        return replace(alone, step=self.step[index : index + 1], kept=kept)

    def at(self, steps: Tensor) -> Scores:
        """One node's scores seen as those of several steps [steps] (views, no copies)."""
        return replace(self._each(lambda field: field.expand(len(steps), -1)), step=steps)

    def lead_with(self, rows: int) -> Scores:
        """Prepend `rows` positions that this forward cannot predict and that are never masked."""
        return self._each(lambda field: F.pad(field, (rows, 0))) if rows else self

    def _each(self, change: Callable[[Tensor], Tensor]) -> Scores:
        names = ("token", "confidence", "probability", "other_token", "other_probability")
        return replace(self, **{name: change(getattr(self, name)) for name in names})
