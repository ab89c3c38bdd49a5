"""Hierarchical decoding of dInfer (github.com/inclusionAI/dInfer): every gap of masks gets a token, if it can."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals, require_number


@dataclass(frozen=True)
class Hierarchical(CommitRule):
    """A row passes with at least the threshold, or with more than `low` if no row of its run is more probable.

    A run is a longest sequence of neighbouring candidates. Of equally probable rows the lower position counts.
    low >= 1 is Fast-dLLM.
    """

    threshold: float = 0.9
    low: float = 0.4

    def __post_init__(self) -> None:
        require_number("threshold", self.threshold, 0, above=True)
        require_number("low", self.low, 0)

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        gap = ~masked
        run = gap.cumsum(dim=1)  # rows of one run have one number
        places = signals.probability.argsort(dim=1, descending=True, stable=True)
        places = places.gather(1, run.gather(1, places).argsort(dim=1, stable=True))
        ordered = run.gather(1, places)
        is_first = torch.ones_like(gap)
        is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        is_best = torch.empty_like(gap).scatter_(1, places, is_first)
        return (signals.probability >= self.threshold) | (is_best & (signals.probability > self.low))

    def __str__(self) -> str:
        return f"hierarchical threshold {self.threshold}, low {self.low}"
