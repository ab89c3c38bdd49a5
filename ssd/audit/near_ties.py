"""Near ties in a replayed state: places where rounding alone could have changed a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ssd.audit.replay import Replay
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.settings import LLADA_RANKINGS, GenerationSettings, SpecialTokens


@dataclass(frozen=True)
class NearTies:
    """The near ties of one state, in which any two logits may move against each other by `slack`.

    dtype: of the logits; what is computed in it besides (`confidence_dtype=logits`) is rounded to it as well.
    """

    settings: GenerationSettings
    special: SpecialTokens
    commit: CommitRule | None
    at: Replay
    slack: float
    dtype: torch.dtype

    @property
    def confidence_slack(self) -> float:
        """How far logits may move in the distribution of the confidences: Dream's is of logits / T."""
        if self.settings.ranking in LLADA_RANKINGS:
            return self.slack
        return self.slack / (self.settings.temperature or 1)

    @property
    def epsilon(self) -> float:
        """Rounding of a difference of two confidences: each is rounded in both evaluations."""
        of_logits = self.settings.confidence_dtype == "logits"
        return 4 * torch.finfo(self.dtype if of_logits else torch.float64).eps

    def position_slack(self, rows: Sequence[int]) -> float:
        """Return how far the confidences of two rows may move against each other."""
        ranking, slack = self.settings.ranking, self.confidence_slack
        if ranking in ("random", "origin"):  # logits have no part in the order
            return 0.0
        confidence = self.at.scores.confidence[0, rows]
        if ranking in ("low_confidence", "maskgit_plus"):
            # Against the mean of all others a token's logit moves by the slack at most, and so do its log odds.
            odds = confidence.clamp(0, 1).logit()
            moved = torch.stack([(odds + slack).sigmoid() - confidence, confidence - (odds - slack).sigmoid()])
            return float(moved.amax(dim=0).clamp(0, 1).sum()) + self.epsilon
        if ranking == "entropy":
            return slack * self._spread + self.epsilon * float(confidence.abs().amax().clamp(1, 100))  # two rows
        if ranking == "pc":  # a probability times at most 21, -ln 1e-9
            return 21 * (slack + self.epsilon)
        return slack + self.epsilon  # a difference of two probabilities, d p / d logit is 1/4 at most; two rows

    def of_tokens(self, rows: Sequence[int]) -> bool:
        """Return whether one of the rows might commit a token of quite another confidence.

        A sampled token's confidence is its own probability; an end token's is put last under suppress_confidence. The
        ranking pc counts a token's frequency.
        """
        token, perturbed = self.at.scores.token[0, rows][:, None], self.at.perturbed[rows]
        others = perturbed.scatter(1, token, -torch.inf)
        if not self._confidence_is_of_the_token:
            if self.settings.eos != "suppress_confidence":
                return False
            ends = torch.tensor(self.special.end_ids)
            alike = torch.isin(torch.arange(others.shape[1]), ends) == torch.isin(token, ends)
            others = others.masked_fill(alike, -torch.inf)
        return bool((perturbed.gather(1, token)[:, 0] - others.amax(dim=1) <= self.slack).any())

    def of_nuclei(self, rows: Sequence[int]) -> bool:
        """Return whether, in one of the rows, top-p or top-k might leave other tokens."""
        settings = self.settings
        if not settings.temperature and settings.ranking in LLADA_RANKINGS:
            return False
        never = [self.special.mask_id, *(self.special.end_ids[:1] if settings.eos == "suppress_logits" else ())]
        possible = self.at.logits[rows].index_fill(1, torch.tensor(never), -torch.inf)
        ranked = possible.sort(dim=1, descending=True).values
        kept, near = [], False
        if settings.top_k is not None:
            kept.append(torch.full((len(rows),), settings.top_k))
        if settings.top_p < 1:
            temperature = settings.temperature or 1
            probabilities = (ranked / temperature).softmax(dim=1)
            beyond = probabilities.cumsum(dim=1) - probabilities - settings.top_p
            near = bool((beyond.abs() <= self.slack / temperature / 2 + self.epsilon).any())
            kept.append((beyond <= 0).sum(dim=1))
        return near or any(self._swaps(ranked, count) for count in kept)

    def of_counts(self) -> bool:
        """Return whether the step might commit more picks or fewer."""
        if self.commit is None:
            return False
        rows = self.at.masked[0].nonzero()[:, 0].tolist()
        return self._tips_count() or self.of_tokens(rows) or self.of_nuclei(rows)

    def _tips_count(self) -> bool:
        """Return whether other rows pass if the commit rule's signals move: all one way, or one row against all others.

        A rule that compares rows with a bound is tipped by the former, one that compares rows with each other by the
        latter.
        """
        at, rows = self.at, self.at.masked.shape[1]
        towards = torch.cat((torch.tensor([[0.0], [1.0], [-1.0]]).expand(3, rows), 2 * torch.eye(rows) - 1)).double()
        slack = self.confidence_slack / 2 + self.epsilon  # d softmax / d logit is 1/4 at most
        moved, scores = towards * slack, at.scores.at(at.scores.step.expand(len(towards)))
        entropy = None if scores.entropy is None else scores.entropy - moved * self._spread
        # By the new logits a KL value moves as an entropy does, by the old ones by 2 · slack at most.
        kl = None if scores.kl is None else scores.kl - moved * (self._spread + 2)
        scores = replace(scores, probability=scores.probability + moved, entropy=entropy, kl=kl)
        ranking = at.rule.rank(scores, at.masked.expand(len(towards), -1), at.block)
        unchosen = torch.zeros_like(scores.token)
        chosen = ranking.apply(unchosen, unchosen + 1)
        return bool((chosen != chosen[0]).any())

    @property
    def _spread(self) -> float:
        """How far an entropy moves with its logits at most.

        If a single one moves, by the mean of |log p + H|, which is the standard deviation of log p at most, and that is
        1 + log(vocabulary) / 2 at most.
        """
        return 1 + math.log(self.at.logits.shape[1]) / 2

    @property
    def _confidence_is_of_the_token(self) -> bool:
        if self.settings.ranking == "pc":
            return True
        ranked_by_it = self.settings.ranking in ("low_confidence", "maskgit_plus")
        return self.settings.temperature > 0 and (ranked_by_it or self.commit is not None)

    def _swaps(self, ranked: Tensor, kept: Tensor) -> bool:
        """Return whether, in any row, the last token kept and the first one dropped are nearly equally likely."""
        inside = kept < ranked.shape[1]
        last = ranked.gather(1, (kept - 1)[:, None])[inside, 0]
        first = ranked.gather(1, kept.clamp(max=ranked.shape[1] - 1)[:, None])[inside, 0]
        return bool((last - first <= self.slack).any())
