"""Parallel commit rules: the logits, not a schedule, decide how many picks a step commits."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor

from ssd.decoding.path_memory import Fusion
from ssd.decoding.settings import GenerationSettings

SignalName = Literal["probability", "entropy", "kl", "credit"]


class Signals(NamedTuple):
    """What a rule reads, float64 [nodes, rows] on the host. A row that is no candidate has -inf, inf and inf.

    probability: of the token that a pick would commit; entropy: of the row's distribution, in nats;
    kl: the largest of the row's last `history` KL values, see `path_memory.Stability`.
    entropy and kl are inf everywhere if the rule does not ask for them.
    """

    probability: Tensor
    entropy: Tensor
    kl: Tensor


class CommitRule(ABC):
    """Interface of commit rules: which masked rows a step commits. A rule has no state, so one object serves all."""

    signals: ClassVar[frozenset[SignalName]] = frozenset({"probability"})
    """What the rule needs. With `credit`, all signals come from logits with credit, and `fusion` has its options."""
    first_passes: ClassVar[bool] = True
    """Whether the ranking's first pick always passes."""
    has_least: ClassVar[bool] = False
    """Whether every step commits at least the tokens per step of the schedule. Without it, only a step does in which no
    row passes."""
    history: int = 1
    """Number of the last KL values whose largest is the signal `kl`."""

    @abstractmethod
    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        """Return bool [nodes, rows]: the rows that pass. Rows that are no candidates are ignored.

        masked: bool [nodes, rows], the candidates: masked, in the current block or sub-block, and predicted;
        order: int64 [nodes, rows], the ranking, candidates first.
        More probability, less entropy or less KL in one row must not make that row fail.
        """

    def check(self, settings: GenerationSettings) -> None:
        """Raise ValueError for settings that the rule does not support."""
        uses_schedule = self.has_least or not self.first_passes
        if uses_schedule and settings.block_length % settings.steps_per_block:
            raise ValueError(
                f"generation.steps={settings.steps} with commit rule {self}: expected a divisor of "
                f"generation.block_length={settings.block_length}, for a fixed number of tokens per step"
            )

    def spans_blocks(self, settings: GenerationSettings) -> bool:
        """Whether a block's first KL values compare with the last step of the block before, and not with p = 0.

        All forwards must then compute the rows up to the canvas's end.
        """
        return False

    @property
    def fusion(self) -> Fusion | None:
        """How credit changes the logits; None without the signal `credit`."""
        return None

    @property
    def memory(self) -> Literal["state", "path"]:
        """Whether the rule depends on a state's logits alone, or also on those of the states before it."""
        return "path" if self.signals & {"kl", "credit"} else "state"


def require_rule(commit: object) -> None:
    """Raise ValueError for what is no commit rule, such as a rule's name."""
    if not isinstance(commit, CommitRule):
        raise ValueError(f"decoder.commit={commit}: expected a rule; pass decoder/commit={commit}, with a slash")


def require_number(name: str, value: object, least: float, above: bool = False) -> None:
    """Raise ValueError naming the option for a value that is no number of at least (or `above`) `least`."""
    right = type(value) in (int, float) and (value > least if above else value >= least)  # type: ignore[operator]
    if not right:
        bound = "" if least == -math.inf else f" above {least:g}" if above else f" of at least {least:g}"
        raise ValueError(f"decoder.commit.{name}={value}: expected a number{bound}; infinity is inf")
