"""CreditDecoding (arXiv 2510.06133): tokens that were the most probable in earlier steps gain logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals, require_number
from ssd.decoding.path_memory import Fusion

Schedule = Literal["constant", "progress"]


@dataclass(frozen=True)
class CreditDecoding(CommitRule):
    """A row passes if its probability, from logits raised by credit, is at least the threshold.

    Each step multiplies a row's credits by `decay` and adds p ** exponent to that of its most probable token, before
    the logits are raised by alpha · ln(1 + credit). schedule: with `progress`, alpha and decay are the share of the
    response that is decided, and the exponent is 1. alpha = 0 is Fast-dLLM.
    """

    threshold: float = 0.9
    alpha: float = 0.7
    decay: float = 0.8
    exponent: float = 0.2
    schedule: Schedule = "constant"
    signals = frozenset({"probability", "credit"})

    def __post_init__(self) -> None:
        require_number("threshold", self.threshold, 0, above=True)
        require_number("alpha", self.alpha, 0)
        require_number("decay", self.decay, 0)
        require_number("exponent", self.exponent, 0, above=True)
        if self.schedule not in get_args(Schedule):
            raise ValueError(
                f"decoder.commit.schedule={self.schedule!r}: expected one of {', '.join(get_args(Schedule))}"
            )

    @property
    def fusion(self) -> Fusion:
        if self.schedule == "progress":
            return Fusion(alpha=1.0, decay=1.0, exponent=1.0, by_progress=True)
        return Fusion(self.alpha, self.decay, self.exponent)

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        return signals.probability >= self.threshold

    def __str__(self) -> str:
        options = f"alpha {self.alpha}, decay {self.decay}, exponent {self.exponent}"
        return f"credit threshold {self.threshold}, {'by progress' if self.schedule == 'progress' else options}"
