"""Fast-dLLM's factor rule (arXiv 2505.22618): the more rows pass, the less probable they may be."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals


@dataclass(frozen=True)
class Factor(CommitRule):
    """The n-th most probable row passes if its probability is at least 1 - factor / (n + 1) and all before it pass."""

    factor: float

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        ranked, places = signals.probability.sort(dim=1, descending=True, stable=True)
        ordinal = torch.arange(1, ranked.shape[1] + 1, dtype=torch.float64)
        reached = (ranked - (1 - self.factor / (ordinal + 1)) >= 0).byte().cummin(dim=1).values.bool()
        return torch.empty_like(reached).scatter_(1, places, reached)

    def __str__(self) -> str:
        return f"factor {self.factor}"
