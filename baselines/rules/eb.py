"""EB-Sampler (arXiv 2505.24857): commit rows along the ranking while their entropies stay within a bound."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals, require_number
from ssd.decoding.settings import GenerationSettings


@dataclass(frozen=True)
class EntropyBounded(CommitRule):
    """The longest prefix of the ranking passes whose entropies sum to at most gamma, without the largest of them.

    The sum is computed by S_1 = 0, S_{k+1} = S_k + min(H_{k+1}, max of H_1 … H_k). As a difference of two sums it would
    lose small entropies beside large ones. gamma < 0: only the first pick passes; gamma = inf: all rows pass.
    """

    gamma: float = 0.01
    signals = frozenset({"entropy"})

    def __post_init__(self) -> None:
        require_number("gamma", self.gamma, -torch.inf)

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        entropy = signals.entropy.gather(1, order)
        rise = torch.minimum(entropy[:, 1:], entropy.cummax(dim=1).values[:, :-1])
        bounded = torch.nn.functional.pad(rise.cumsum(dim=1), (1, 0)) <= self.gamma
        return torch.empty_like(bounded).scatter_(1, order, bounded)

    def check(self, settings: GenerationSettings) -> None:
        super().check(settings)
        if settings.ranking in ("random", "origin"):
            raise ValueError(
                f"generation.ranking={settings.ranking} with commit rule {self}: the rule needs a ranking by "
                "certainty; pass generation.ranking=low_confidence or entropy"
            )

    def __str__(self) -> str:
        return f"entropy bound {self.gamma}"
