"""The stepping rule: logits and state → ranked picks. The only place where picks are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.canvas import Block
from ssd.decoding.noise import CounterNoise
from ssd.decoding.schedule import step_counts, transfer_rates
from ssd.decoding.scores import Scores
from ssd.decoding.settings import GenerationSettings, SpecialTokens

_LAST = torch.finfo(torch.float64).min
_UNMASKED = -torch.inf


@dataclass(frozen=True)
class Ranking:
    """Ranked picks of several nodes, on the host.

    order: int64 [nodes, rows], masked rows first, best first (ties: lower position first).
    A step commits the first max(passing, minimum) of them, never more than there are masks.
    """

    order: Tensor
    passing: Tensor
    minimum: Tensor
    masks: Tensor
    step: Tensor

    @property
    def count(self) -> Tensor:
        """int64 [nodes]: how many picks the step commits."""
        return torch.minimum(torch.maximum(self.passing, self.minimum), self.masks)

    def rows(self, node: int) -> list[int]:
        """The rows that the step commits in one node, in the order of the ranking."""
        return self.order[node, : int(self.count[node])].tolist()

    def apply(self, states: Tensor, tokens: Tensor) -> Tensor:
        """States [nodes, rows] after each node's own step has filled in `tokens` [nodes, rows]."""
        chosen = torch.arange(states.shape[1]) < self.count[:, None]
        picked = torch.zeros_like(chosen).scatter_(1, self.order, chosen)
        return torch.where(picked, tokens, states)


class SteppingRule:
    """How one response is stepped: confidence, order, and number of picks of every step.

    Orders are total: confidence descending, then position ascending; a row's token is the lowest id among the most
    likely. The mask token is never predicted. Rankings: LLaDA's low_confidence and random remasking (arXiv 2502.09992),
    Dream's maskgit_plus, topk_margin, entropy and origin (arXiv 2508.15487).
    """

    def __init__(
        self, settings: GenerationSettings, special: SpecialTokens, prompt_ids: Sequence[int], first_row_first: bool
    ) -> None:
        self.settings = settings
        self.special = special
        self.first_row_first = first_row_first
        steps = settings.steps_per_block
        counts = step_counts(settings.schedule, settings.block_length, steps)
        self._counts = torch.tensor([*counts, 0])
        self._rates = torch.tensor([*transfer_rates(steps), 0.0], dtype=torch.float64)
        self._noise = CounterNoise(settings.seed, prompt_ids)
        self._never = [special.mask_id, *(special.end_ids[:1] if settings.eos == "suppress_logits" else ())]

    @torch.inference_mode()
    def score(self, logits: Tensor, runner_up: bool = False) -> Scores:
        """Reduce logits [nodes, rows, vocabulary] (overwritten) to scores [nodes, rows] on the host.

        runner_up: also fetch the second-best token, which only drafts use.
        """
        settings = self.settings
        logits[..., self._never] = -torch.inf
        token = logits.argmax(dim=-1)
        if settings.eos == "suppress_confidence":
            logits[..., list(self.special.end_ids)] = -torch.inf
        dtype = torch.float64 if settings.confidence_dtype == "float64" else logits.dtype
        probabilities = logits.softmax(dim=-1, dtype=dtype)
        probability = probabilities.gather(-1, token[..., None])[..., 0]
        needs_second = runner_up or settings.ranking == "topk_margin"
        top = probabilities.topk(2, dim=-1) if needs_second else None
        if settings.ranking == "topk_margin":
            confidence = top.values[..., 0] - top.values[..., 1]
        elif settings.ranking == "entropy":
            confidence = (probabilities * (probabilities + 1e-10).log()).sum(dim=-1)
        else:
            confidence = probability
        if settings.eos == "suppress_confidence":
            confidence = torch.where(
                torch.isin(token, token.new_tensor(self.special.end_ids)), _LAST, confidence.double()
            )
        if top is None:
            return Scores.to_host(token, confidence, probability, token, torch.zeros_like(probability))
        is_second = top.indices[..., 0] == token
        other = torch.where(is_second, top.indices[..., 1], top.indices[..., 0])
        other_probability = torch.where(is_second, top.values[..., 1], top.values[..., 0])
        return Scores.to_host(token, confidence, probability, other, other_probability)

    def rank(self, scores: Scores, masked: Tensor, step: Tensor, block: Block) -> Ranking:
        """Rank the masked rows [nodes, rows] of states that stand before `step` [nodes] of `block`."""
        ranking = self.settings.ranking
        passing = torch.zeros_like(step)
        minimum = self._counts[step]
        key = scores.confidence
        if ranking in ("random", "origin"):
            response_step = block.index * self.settings.steps_per_block + step
            key = self._noise.uniform(response_step[:, None], torch.arange(block.start, block.stop))
        if ranking == "origin":
            key = (key < self._rates[step][:, None]).double()
        key = torch.where(masked, key, _UNMASKED)
        if self.first_row_first:
            key[:, 0] = torch.where(masked[:, 0], torch.inf, _UNMASKED)
            passing = masked[:, 0].long()
        if ranking == "origin":
            passing, minimum = (key > 0).sum(dim=1), torch.zeros_like(step)
        order = key.argsort(dim=1, descending=True, stable=True)
        return Ranking(order, passing, minimum, masked.sum(dim=1), step)

    def certainty(self, scores: Scores) -> Tensor:
        """float64 [nodes, rows]: confidence on a scale where equal gaps mean equal odds of staying ahead.

        It is -log of the doubt, because confidences near 1 (and entropies near 0) reshuffle in proportion to it.
        """
        doubt = -scores.confidence if self.settings.ranking == "entropy" else 1 - scores.confidence
        return -doubt.clamp(min=1e-17).log()

    @property
    def order_is_certain(self) -> bool:
        """Whether the order of coming picks is known in advance (it comes from noise, not from confidence)."""
        return self.settings.ranking in ("random", "origin")
