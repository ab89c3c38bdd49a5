"""The states of a reference's response, evaluated again: alone, and in float64 if there is a copy of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ssd.audit.divergence import Opinion, Side, Tie
from ssd.audit.near_ties import NearTies
from ssd.audit.replay import Replay, forward_of, replay
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Pick, Trace
from ssd.modeling.forwards import DiffusionModel

LOGIT_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.5}
"""Largest movement of two logits against each other if only the arithmetic's order changes: rows, kernels."""


@dataclass(frozen=True)
class States:
    """Evaluates the states of one reference's response; exact: the model's copy in float64, if there is one."""

    model: DiffusionModel
    exact: DiffusionModel | None
    settings: GenerationSettings
    special: SpecialTokens
    commit: CommitRule | None
    prompt_ids: Sequence[int]
    trace: Trace

    def at(self, step: int) -> Replay:
        """Return the state before the forward that committed the pick of this ordinal."""
        return self._replay(self.model, step)

    def exactly_at(self, step: int) -> Replay | None:
        """Return the same state in float64."""
        return self._replay(self.exact, step) if self.exact else None

    def ties(self, at: Replay, exact: Replay | None) -> NearTies:
        """Return the near ties of a state, within its own noise if float64 shows that."""
        slack = slack_of(self.settings, self.model.dtype, at, exact)
        return NearTies(self.settings, self.special, self.commit, at, slack, self.model.dtype)

    def near_tie(
        self, ties: NearTies, rows: list[int], margins: tuple[float, float], token: int, step: int
    ) -> Tie | None:
        """Return the near tie that explains the difference at the state of `step`.

        rows: the reference's and the decoder's; token: the reference's at its row, which in a batch may differ from
        that of the state alone.
        """
        shortfall = float(ties.at.perturbed[rows[0]].max() - ties.at.perturbed[rows[0], token])
        token_is_near = max(abs(margins[0]), shortfall) <= ties.slack
        if token_is_near and abs(margins[1]) <= ties.position_slack(rows):
            return "pick"
        if token_is_near and ties.of_tokens(rows):
            return "confidence"
        if ties.of_nuclei(rows):
            return "nucleus"
        return "count" if self.commit is not None and self._count_is_near(step) else None

    def opinion(self, exact: Replay, expected: Pick, found: Pick, rows: list[int], preferred: int) -> Opinion:
        """Return float64's opinion of a state; `preferred`: the token that the own dtype puts at `found`'s place."""
        holders: dict[tuple[bool, bool], Side] = {
            (True, True): "both",
            (True, False): "reference",
            (False, True): "decoder",
            (False, False): "neither",
        }
        side = holders[expected[:2] in exact.picks, found[:2] in exact.picks]
        return Opinion(*margins_of(exact, rows, preferred, found.token), side)

    def _count_is_near(self, step: int) -> bool:
        """Return whether any step of this block, up to this one, might have committed more picks or fewer.

        A decoder that commits a pick one step later may well be back at the reference's state, yet ahead in the next.
        """
        block, start = self.trace.events[forward_of(self.trace.events, step)].block, 0
        for event in self.trace.events:
            if start > step:
                break
            if event.block == block and self.ties(self.at(start), self.exactly_at(start)).of_counts():
                return True
            start += len(event.picks)
        return False

    def _replay(self, model: DiffusionModel, step: int) -> Replay:
        return replay(model, self.settings, self.special, self.commit, self.prompt_ids, self.trace, step)


def margins_of(at: Replay, rows: list[int], preferred: int, token: int) -> tuple[float, float]:
    """Return the signed token margin (logits) and position margin (confidence) of reference's and decoder's row."""
    logits = at.perturbed[rows[1]]
    sure, unsure = at.scores.confidence[0, rows].tolist()
    return float(logits[preferred] - logits[token]), sure - unsure


def slack_of(settings: GenerationSettings, dtype: torch.dtype, at: Replay, exact: Replay | None) -> float:
    """Return how far rounding may move two logits of a state against each other.

    Four times the noise, which is the largest difference between the state's logits in the run's dtype and in float64:
    two tokens, each of which may move by it, in two evaluations (the reference's and the decoder's). It is taken over
    all rows still masked, since the two that parted may by chance have been rounded little. Where tokens are sampled in
    the logits' dtype, logits / T are rounded once more. The dtype's bound holds in any case, and alone where there is
    no float64 to compare with.
    """
    bound = LOGIT_TOLERANCE[dtype]
    if exact is None or dtype == torch.float64:
        return bound
    logits = at.logits[at.masked[0]]
    slack = 4 * float((logits - exact.logits[at.masked[0]]).abs().amax())
    if settings.temperature and settings.confidence_dtype == "logits":
        slack += torch.finfo(dtype).eps * float(logits.abs().amax())
    return min(bound, slack)
