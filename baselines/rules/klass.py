"""KLASS (arXiv 2511.05664): commit rows that are probable and whose distribution has stopped moving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, Signals, require_number
from ssd.decoding.settings import GenerationSettings

HistoryScope = Literal["auto", "block", "response"]


@dataclass(frozen=True)
class KLASS(CommitRule):
    """A row passes if its probability is at least the threshold and its last `history` KL values are below
    `kl_threshold`.

    A KL value is that of a step's distribution against the step's before. Those of earlier blocks do not count. If no
    row passes, the step commits what a step of the schedule does. The published code for LLaDA asks for more than the
    threshold, the one for Dream for at least it; this one is as the latter.
    history_scope: what a block's first step compares with. `block`: p = 0, so that its KL values are large. `response`:
    the last step of the block before, as in the published code without a cache. `auto`: `response` without a cache,
    `block` with one and for block-causal models.
    """

    threshold: float = 0.9
    kl_threshold: float = 0.01
    history: int = 2
    history_scope: HistoryScope = "auto"
    signals = frozenset({"probability", "kl"})
    first_passes = False

    def __post_init__(self) -> None:
        require_number("threshold", self.threshold, 0, above=True)
        require_number("kl_threshold", self.kl_threshold, 0, above=True)
        if type(self.history) is not int or self.history < 1:
            raise ValueError(f"decoder.commit.history={self.history}: expected a whole number of at least 1")
        if self.history_scope not in get_args(HistoryScope):
            raise ValueError(
                f"decoder.commit.history_scope={self.history_scope!r}: expected one of "
                f"{', '.join(get_args(HistoryScope))}"
            )

    def check(self, settings: GenerationSettings) -> None:
        super().check(settings)
        if self.history_scope == "response" and not _sees_later_blocks(settings):
            raise ValueError(
                f"decoder.commit.history_scope=response with generation.cache={settings.cache} and generation.grid="
                f"{settings.grid}: forwards do not compute the rows of later blocks; pass "
                "decoder.commit.history_scope=block, or generation.cache=none where generation.grid=prompt"
            )

    def spans_blocks(self, settings: GenerationSettings) -> bool:
        return self.history_scope != "block" and _sees_later_blocks(settings)

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        return (signals.probability >= self.threshold) & (signals.kl < self.kl_threshold)

    def __str__(self) -> str:
        scope = "" if self.history_scope == "auto" else f" of the {self.history_scope}"
        return f"KLASS threshold {self.threshold}, KL threshold {self.kl_threshold}, history {self.history}{scope}"


def _sees_later_blocks(settings: GenerationSettings) -> bool:
    return settings.cache == "none" and settings.grid == "prompt"
