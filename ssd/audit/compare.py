"""The identity audit: whether a response equals the reference's token for token, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch

from baselines.stepwise import Stepwise
from ssd.audit.divergence import Divergence, first_difference, first_parting, same_steps
from ssd.audit.float64 import ExactModel
from ssd.audit.node_isolation import NodeIsolationProbe
from ssd.audit.replay import forward_of
from ssd.audit.states import LOGIT_TOLERANCE, States, margins_of
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.instrumentation import NodeByNode
from ssd.modeling.forwards import DiffusionModel


class Pair(NamedTuple):
    """Divergences of two responses: of the ids, or of the commit order if the ids are equal."""

    response: Divergence | None
    order: Divergence | None

    @property
    def verdict(self) -> str:
        """`identical`, `numeric` or `algorithmic`."""
        found = self.response or self.order
        return found.verdict if found else "identical"


@dataclass(frozen=True)
class Audit:
    """Compares responses under one model and one set of settings."""

    model: DiffusionModel
    settings: GenerationSettings
    special: SpecialTokens
    commit: CommitRule | None = None
    """Commit rule of the reference; None: the schedule."""
    exact: ExactModel | None = None
    """Source of float64's opinion; None for a decoder that does not claim to be lossless."""
    batched: bool = False
    """Whether responses shared their forwards, so that rounding differs from that of forwards alone."""
    reference: Decoder | None = None
    """Decoder of the reference responses; None: the audited decoder's own."""

    def pair(
        self, prompt_ids: Sequence[int], seed: int, reference: Decoded, decoded: Decoded, decoder: Decoder
    ) -> Pair:
        """Compare the two responses to a prompt that were decoded with this seed."""
        seeded = replace(self, settings=replace(self.settings, seed=seed))
        compared = (prompt_ids, reference, decoded, decoder)
        divergence = seeded.compare(*compared)
        return Pair(divergence, None if divergence else seeded.compare_order(*compared))

    def compare(
        self, prompt_ids: Sequence[int], reference: Decoded, decoded: Decoded, decoder: Decoder
    ) -> Divergence | None:
        """Return None if the responses are equal, else their first divergence."""
        index = first_difference(reference.response_ids, decoded.response_ids)
        return None if index is None else self._explain(index, prompt_ids, reference, decoded, decoder)

    def compare_order(
        self, prompt_ids: Sequence[int], reference: Decoded, decoded: Decoded, decoder: Decoder
    ) -> Divergence | None:
        """Return None if two equal responses were committed alike, step by step, else the orders' divergence."""
        if same_steps(reference.trace, decoded.trace):
            return None
        return self._explain(None, prompt_ids, reference, decoded, decoder)

    def _explain(
        self, index: int | None, prompt_ids: Sequence[int], reference: Decoded, decoded: Decoded, decoder: Decoder
    ) -> Divergence:
        """Return the divergence. Decoding again comes last: it is needed only if rounding may be the cause."""
        bound = LOGIT_TOLERANCE[self.model.dtype]
        parting = first_parting(reference.trace, decoded.trace)
        if parting is None:
            last = len(decoded.trace.events) - 1
            return Divergence(index, 0, last, None, None, None, None, bound, None, None, None)
        step, expected, found = parting
        copy = self.exact.model if self.exact else None
        states = States(self.model, copy, self.settings, self.special, self.commit, prompt_ids, reference.trace)
        at = states.at(step)
        forward = forward_of(decoded.trace.events, step)
        rows = [pick.position + len(prompt_ids) - at.block.start for pick in (expected, found)]
        if not 0 <= rows[1] < at.block.stop - at.block.start:
            far = (torch.inf, torch.inf)
            return Divergence(index, step, forward, expected, found, *far, bound, None, None, None)
        exactly = states.exactly_at(step)
        preferred = int(at.scores.token[0, rows[1]])
        margins, ties = margins_of(at, rows, preferred, found.token), states.ties(at, exactly)
        tie, one_by_one = states.near_tie(ties, rows, margins, expected.token, step), None
        opinion = states.opinion(exactly, expected, found, rows, preferred) if exactly else None
        if tie is not None:
            one_by_one = self._agrees_one_by_one(prompt_ids, reference, decoder)
        if one_by_one and copy is not None and opinion is not None:
            same, difference = self._in_float64(copy, prompt_ids, decoder)
            opinion = replace(opinion, same_steps=same, node_difference=difference)
        token_margin, position_margin = (abs(margin) for margin in margins)
        picks = (expected, found, token_margin, position_margin)
        return Divergence(index, step, forward, *picks, ties.slack, tie, one_by_one, opinion)

    def _agrees_one_by_one(self, prompt_ids: Sequence[int], reference: Decoded, decoder: Decoder) -> bool:
        if self.batched:
            reference = self._reference(self.model, prompt_ids, decoder)
        again = decoder.decode(NodeByNode(self.model), prompt_ids, self.settings, self.special)
        return again.response_ids == reference.response_ids and same_steps(reference.trace, again.trace)

    def _in_float64(self, copy: DiffusionModel, prompt_ids: Sequence[int], decoder: Decoder) -> tuple[bool, float]:
        """Return whether both sides take the same steps in float64, and the largest relative difference between nodes
        evaluated together and one by one. The replay one by one hides such a fault."""
        probe = NodeIsolationProbe(copy)
        reference = self._reference(copy, prompt_ids, decoder)
        decoded = decoder.decode(probe, prompt_ids, self.settings, self.special)
        judge = replace(self, model=copy, exact=None, batched=False)
        compared = (prompt_ids, reference, decoded, decoder)
        parting = judge.compare(*compared) or judge.compare_order(*compared)
        return parting is None or parting.verdict == "numeric", probe.difference

    def _reference(self, model: DiffusionModel, prompt_ids: Sequence[int], decoder: Decoder) -> Decoded:
        by = self.reference or decoder.reference or Stepwise()
        return by.decode(model, prompt_ids, self.settings, self.special)
