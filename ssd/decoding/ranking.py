"""Ranked picks: the result of the stepping rule."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ranking:
    """Ranked picks of several nodes, on the host.

    order: int64 [nodes, rows], masked rows first, best first (ties: lower position first).
    A step commits the first max(passing, minimum) of them, never more than there are masks.
    step, next_step: int64 [nodes], the step these picks belong to and the one that follows it.
    """

    order: Tensor
    passing: Tensor
    minimum: Tensor
    masks: Tensor
    step: Tensor
    next_step: Tensor

    @property
    def count(self) -> Tensor:
        """int64 [nodes]: number of picks that the step commits."""
        return torch.minimum(torch.maximum(self.passing, self.minimum), self.masks)

    def rows(self, node: int) -> list[int]:
        """Return the rows that the step commits in one node, in the order of the ranking."""
        return self.order[node, : int(self.count[node])].tolist()

    def apply(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Return states [nodes, rows] in which each node's own step has filled in `tokens` [nodes, rows]."""
        chosen = torch.arange(states.shape[1]) < self.count[:, None]
        picked = torch.zeros_like(chosen).scatter_(1, self.order, chosen)
        return torch.where(picked, tokens, states)
