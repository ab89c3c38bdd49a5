"""Threshold rules: Fast-dLLM's (arXiv 2505.22618), and SDAR's dynamic decoding (arXiv 2510.06303)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals


@dataclass(frozen=True)
class Threshold(CommitRule):
    """A row passes if its probability is at least the threshold (Fast-dLLM, arXiv 2505.22618)."""

    threshold: float

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        return signals.probability >= self.threshold

    def __str__(self) -> str:
        return f"threshold {self.threshold}"


@dataclass(frozen=True)
class Dynamic(CommitRule):
    """A row passes if its probability is above the threshold; see SDAR's dynamic decoding, arXiv 2510.06303."""

    threshold: float
    has_least = True

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        return signals.probability > self.threshold

    def __str__(self) -> str:
        return f"dynamic threshold {self.threshold}"
