"""LocalLeap (arXiv 2510.07081): near a token that is very probable, a lower threshold is enough."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals, require_number


@dataclass(frozen=True)
class LocalLeap(CommitRule):
    """A row passes with at least the threshold, or with at least the lower one within `radius` positions of such a row.

    radius = 0, or a lower threshold that is not lower, is Fast-dLLM.
    """

    threshold: float = 0.9
    near_threshold: float = 0.75
    radius: int = 4

    def __post_init__(self) -> None:
        require_number("threshold", self.threshold, 0, above=True)
        require_number("near_threshold", self.near_threshold, 0, above=True)
        if type(self.radius) is not int or self.radius < 0:
            raise ValueError(f"decoder.commit.radius={self.radius}: expected a whole number of at least 0")

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        anchors = signals.probability >= self.threshold
        is_near = F.max_pool1d(anchors.float(), 2 * self.radius + 1, stride=1, padding=self.radius) > 0
        return anchors | (is_near & (signals.probability >= self.near_threshold))

    def __str__(self) -> str:
        return f"LocalLeap threshold {self.threshold}, {self.near_threshold} within {self.radius}"
