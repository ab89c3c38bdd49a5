"""Parallel commit rules: the logits, not a schedule, decide how many picks a step commits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from ssd.decoding.settings import GenerationSettings

CommitName = Literal["threshold", "factor", "dynamic"]


class CommitRule(ABC):
    """Interface of commit rules. A step commits its first pick, and all masked rows that pass."""

    has_least = False
    """Whether a step commits at least the tokens per step of the schedule."""
    memory: ClassVar[Literal["state", "path"]] = "state"
    """Whether the rule depends on a state's logits alone, or also on those of the states before it."""

    @abstractmethod
    def margins(self, probability: Tensor) -> Tensor:
        """Return float64 [nodes, rows]: each row's probability minus the one that the rule requires.

        probability: float64 [nodes, rows], of the token that a pick would commit; -inf where nothing is masked.
        """

    def passes(self, probability: Tensor) -> Tensor:
        """Return bool [nodes, rows]: the rows that pass."""
        return self.margins(probability) >= 0


@dataclass(frozen=True)
class Threshold(CommitRule):
    """A row passes if its probability is at least the threshold (Fast-dLLM, arXiv 2505.22618)."""

    threshold: float

    def margins(self, probability: Tensor) -> Tensor:
        return probability - self.threshold

    def __str__(self) -> str:
        return f"threshold {self.threshold}"


@dataclass(frozen=True)
class Dynamic(CommitRule):
    """A row passes if its probability is above the threshold; see SDAR's dynamic decoding, arXiv 2510.06303."""

    threshold: float
    has_least = True

    def margins(self, probability: Tensor) -> Tensor:
        return probability - self.threshold

    def passes(self, probability: Tensor) -> Tensor:
        return probability > self.threshold

    def __str__(self) -> str:
        return f"dynamic threshold {self.threshold}"


@dataclass(frozen=True)
class Factor(CommitRule):
    """The n-th most probable row passes if its probability is at least 1 - factor / (n + 1) and all before it pass.

    See Fast-dLLM, arXiv 2505.22618.
    """

    factor: float

    def margins(self, probability: Tensor) -> Tensor:
        ranked, order = probability.sort(dim=1, descending=True, stable=True)
        ordinal = torch.arange(1, probability.shape[1] + 1, dtype=torch.float64)
        reached = (ranked - (1 - self.factor / (ordinal + 1))).cummin(dim=1).values
        return torch.empty_like(reached).scatter_(1, order, reached)

    def __str__(self) -> str:
        return f"factor {self.factor}"


class Capped(CommitRule):
    """The rows of another rule, the most probable first: n steps commit at most `per_step` · n rows.

    See Fast-dLLM's published code for Dream. One object serves one response without drafts, because it counts steps.
    """

    def __init__(self, inner: CommitRule, per_step: int) -> None:
        self.inner = inner
        self.per_step = per_step
        self._steps = 0

    def margins(self, probability: Tensor) -> Tensor:
        return self.inner.margins(probability)

    def passes(self, probability: Tensor) -> Tensor:
        self._steps += 1
        committed = probability.isneginf().sum(dim=1, keepdim=True)
        place = probability.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return self.inner.passes(probability) & (place < self.per_step * self._steps - committed)


def commit_rule(rule: CommitName, threshold: float, factor: float) -> CommitRule:
    """Return the rule of a decoder's options. Raises ValueError naming the option, its value and the expected ones."""
    if rule not in get_args(CommitName):
        raise ValueError(f"decoder.rule={rule!r}: expected one of {', '.join(get_args(CommitName))}")
    for name, value in (("threshold", threshold), ("factor", factor)):
        if type(value) not in (int, float) or not value > 0:
            raise ValueError(f"decoder.{name}={value}: expected a number above 0")
    if rule == "factor":
        return Factor(factor)
    return Dynamic(threshold) if rule == "dynamic" else Threshold(threshold)


def check_steps(commit: CommitRule | None, settings: GenerationSettings) -> None:
    """Raise ValueError for a rule with a least number of tokens per step if the steps do not divide a block."""
    if commit is not None and commit.has_least and settings.block_length % settings.steps_per_block:
        raise ValueError(
            f"generation.steps={settings.steps} with decoder.rule=dynamic: expected a divisor of "
            f"generation.block_length={settings.block_length}, for a fixed number of tokens per step"
        )
