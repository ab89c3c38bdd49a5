"""The identity audit: is a response token for token the reference's, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from baselines.stepwise import Stepwise
from ssd.bench.audit.divergence import Divergence, Opinion, Side, Tie, first_difference, first_parting, same_steps
from ssd.bench.audit.exact import ExactModel
from ssd.bench.audit.replay import Replay, forward_of, replay
from ssd.bench.audit.ties import Ties
from ssd.bench.probes import OneByOne
from ssd.decoding.commit import CommitRule
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Pick, Trace
from ssd.modeling.dllm import MaskedDiffusionModel

# How far a logit may move when only the arithmetic's order changes: another number of rows, another kernel.
LOGIT_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.5}


@dataclass(frozen=True)
class Audit:
    """Compares responses under one model and one set of settings."""

    model: MaskedDiffusionModel
    settings: GenerationSettings
    special: SpecialTokens
    commit: CommitRule | None = None
    """By which the reference commits, if not by the schedule."""
    exact: ExactModel | None = None
    """Where float64's opinion comes from; None: it is not asked for."""
    batched: bool = False
    """Whether responses shared their forwards, so that the reference's own were rounded otherwise than alone."""

    def compare(
        self, prompt_ids: Sequence[int], reference: Decoded, decoded: Decoded, decoder: Decoder
    ) -> Divergence | None:
        """None if the responses are equal; else where, how narrowly and why they part."""
        index = first_difference(reference.response_ids, decoded.response_ids)
        return None if index is None else self._explain(index, prompt_ids, reference, decoded, decoder)

    def compare_order(
        self, prompt_ids: Sequence[int], reference: Decoded, decoded: Decoded, decoder: Decoder
    ) -> Divergence | None:
        """Of equal responses: None if both were committed alike, step by step; else where and why the orders part."""
        if same_steps(reference.trace, decoded.trace):
            return None
        return self._explain(None, prompt_ids, reference, decoded, decoder)

    def _explain(
        self, index: int | None, prompt_ids: Sequence[int], reference: Decoded, decoded: Decoded, decoder: Decoder
    ) -> Divergence:
        tolerance = LOGIT_TOLERANCE[self.model.dtype]
        one_by_one = self._agrees_one_by_one(prompt_ids, reference, decoder)
        parting = first_parting(reference.trace, decoded.trace)
        if parting is None:
            last = len(decoded.trace.events) - 1
            return Divergence(index, 0, last, None, None, None, None, tolerance, None, one_by_one, None)
        step, expected, found = parting
        at = self._replay(self.model, prompt_ids, reference.trace, step)
        forward = forward_of(decoded.trace.events, step)
        rows = [pick.position + len(prompt_ids) - at.block.start for pick in (expected, found)]
        if not 0 <= rows[1] < at.block.stop - at.block.start:
            margins, tie, opinion = (torch.inf, torch.inf), None, None
        else:
            preferred = int(at.scores.token[0, rows[1]])
            margins = _margins(at, rows, preferred, found.token)
            tie = self._near_tie(at, rows, margins, expected.token, prompt_ids, reference.trace, step)
            opinion = self._opinion(prompt_ids, reference.trace, step, expected, found, rows, preferred)
        token_margin, position_margin = (abs(margin) for margin in margins)
        return Divergence(
            index, step, forward, expected, found, token_margin, position_margin, tolerance, tie, one_by_one, opinion
        )

    def _agrees_one_by_one(self, prompt_ids: Sequence[int], reference: Decoded, decoder: Decoder) -> bool:
        if self.batched:
            by = decoder.reference or Stepwise()
            reference = by.decode(self.model, prompt_ids, self.settings, self.special)
        again = decoder.decode(OneByOne(self.model), prompt_ids, self.settings, self.special)
        return again.response_ids == reference.response_ids and same_steps(reference.trace, again.trace)

    def _near_tie(
        self,
        at: Replay,
        rows: list[int],
        margins: tuple[float, float],
        token: int,
        prompt_ids: Sequence[int],
        trace: Trace,
        step: int,
    ) -> Tie | None:
        """The near tie that explains a parting at these rows (the reference's, the decoder's) of a replayed state.

        token: the reference's at its row, which in a batch need not be the one that the state alone gives.
        """
        ties = self._ties(at)
        shortfall = float(at.perturbed[rows[0]].max() - at.perturbed[rows[0], token])
        token_is_near = max(abs(margins[0]), shortfall) <= ties.slack
        if token_is_near and abs(margins[1]) <= ties.position_slack(rows, torch.finfo(self.model.dtype).eps):
            return "pick"
        if token_is_near and ties.of_tokens(rows):
            return "confidence"
        if ties.of_nuclei(rows):
            return "nucleus"
        return "count" if self.commit is not None and self._count_is_near(prompt_ids, trace, step) else None

    def _count_is_near(self, prompt_ids: Sequence[int], trace: Trace, step: int) -> bool:
        """Whether, in this block up to this step, any step might have committed more picks or fewer.

        A decoder that commits a pick one step later may well be back at the reference's state, yet ahead in the next.
        """
        block, start = trace.events[forward_of(trace.events, step)].block, 0
        for event in trace.events:
            if start > step:
                break
            if event.block == block and self._ties(self._replay(self.model, prompt_ids, trace, start)).of_counts():
                return True
            start += len(event.picks)
        return False

    def _opinion(
        self,
        prompt_ids: Sequence[int],
        trace: Trace,
        step: int,
        expected: Pick,
        found: Pick,
        rows: list[int],
        preferred: int,
    ) -> Opinion | None:
        """Float64's, of the same state; `preferred` is the token that the model's own dtype puts at `found`'s place."""
        exact = self.exact.model if self.exact else None
        if exact is None:
            return None
        at = self._replay(exact, prompt_ids, trace, step)
        holders = {
            (True, True): "both",
            (True, False): "reference",
            (False, True): "decoder",
            (False, False): "neither",
        }
        side: Side = holders[expected[:2] in at.picks, found[:2] in at.picks]
        return Opinion(*_margins(at, rows, preferred, found.token), side)

    def _replay(self, model: MaskedDiffusionModel, prompt_ids: Sequence[int], trace: Trace, step: int) -> Replay:
        return replay(model, self.settings, self.special, self.commit, prompt_ids, trace, step)

    def _ties(self, at: Replay) -> Ties:
        return Ties(self.settings, self.special, self.commit, at, LOGIT_TOLERANCE[self.model.dtype])


def _margins(at: Replay, rows: list[int], preferred: int, token: int) -> tuple[float, float]:
    """Signed token margin (logits) and position margin (confidence) of two rows, the reference's and the decoder's."""
    logits = at.perturbed[rows[1]]
    sure, unsure = at.scores.confidence[0, rows].tolist()
    return float(logits[preferred] - logits[token]), sure - unsure
