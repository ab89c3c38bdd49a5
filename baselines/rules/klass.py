"""KLASS (arXiv 2511.05664): commit rows that are probable and whose distribution has stopped moving."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals, require_number


@dataclass(frozen=True)
class KLASS(CommitRule):
    """A row passes if its probability is at least the threshold and its last `history` KL values are below
    `kl_threshold`.

    A KL value is that of a step's distribution against the step's before, within the block. If no row passes, the step
    commits what a step of the schedule does. The published code for LLaDA asks for more than the threshold, the one for
    Dream for at least it; this one is as the latter.
    """

    threshold: float = 0.9
    kl_threshold: float = 0.01
    history: int = 2
    signals = frozenset({"probability", "kl"})
    first_passes = False

    def __post_init__(self) -> None:
        require_number("threshold", self.threshold, 0, above=True)
        require_number("kl_threshold", self.kl_threshold, 0, above=True)
        if type(self.history) is not int or self.history < 1:
            raise ValueError(f"decoder.commit.history={self.history}: expected a whole number of at least 1")

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        return (signals.probability >= self.threshold) & (signals.kl < self.kl_threshold)

    def __str__(self) -> str:
        return f"KLASS threshold {self.threshold}, KL threshold {self.kl_threshold}, history {self.history}"
