"""From logits to tokens and confidences: greedy or sampled, the LLaDA way or the Dream way."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from ssd.decoding.commit_rule import CommitRule, SignalName
from ssd.decoding.noise import CounterNoise
from ssd.decoding.path_memory import Credit, Fusion, Lineage, PathMemory, compare, fuse, give_credit, no_half
from ssd.decoding.scores import KeptLogits, Scores
from ssd.decoding.settings import LLADA_RANKINGS, GenerationSettings, SpecialTokens

_LAST = torch.finfo(torch.float64).min


class Scorer:
    """Computes the token that a pick of each row would commit, and its confidence.

    The mask token is never predicted. At temperature T > 0 a token is argmax(logit / T + Gumbel noise), a sample of
    softmax(logit / T). The noise is a function of seed, prompt, step and position. LLaDA (arXiv 2502.09992) takes
    confidence from the plain logits; Dream (arXiv 2508.15487) from the sampled distribution, after T, top-k and top-p.
    """

    def __init__(
        self,
        settings: GenerationSettings,
        special: SpecialTokens,
        noise: CounterNoise,
        commit: CommitRule | None = None,
    ) -> None:
        self.settings = settings
        self._signals: frozenset[SignalName] = commit.signals if commit else frozenset()
        self._history = commit.history if commit else 1
        self._fusion = commit.fusion if commit else None
        self._noise = noise
        self._ends = special.end_ids
        self._never = (special.mask_id, *(special.end_ids[:1] if settings.eos == "suppress_logits" else ()))
        self._sampled = settings.temperature > 0

    @torch.inference_mode()
    def score(
        self,
        logits: Tensor,
        step: Tensor,
        first_step: int,
        first_position: int,
        runner_up: bool,
        judged: Tensor | None = None,
        lineage: Lineage | None = None,
        progress: Tensor | None = None,
    ) -> Scores:
        """Return scores [nodes, rows] on the host of logits [nodes, rows, vocabulary], which are overwritten.

        step: int64 [nodes], counted from `first_step` of the response; first_position: of the first row in the canvas;
        runner_up: include the second-best token, which only drafts use;
        judged: int64 [nodes, rows] on the logits' device, tokens whose probability replaces the runner-up's;
        lineage, progress: of a commit rule that depends on the path: where the nodes' memory comes from, and float64
        [nodes], the share of the response that is decided.
        """
        logits.index_fill_(-1, _ids(self._never, logits.device), -torch.inf)
        credit = stability = None
        if lineage and progress is not None and self._fusion:
            logits, credit = self._with_credit(logits, lineage, progress, self._fusion, first_position)
        kept = KeptLogits(logits, first_position) if self._sampled else None
        fields, probabilities = self._reduce(logits, step, first_step, first_position, runner_up, judged)
        if lineage and "kl" in self._signals:
            fields["kl"], stability = compare(probabilities, lineage, self._history, first_position)
        memory = PathMemory(stability, credit) if lineage else None
        return Scores.to_host(step, fields, kept, memory)

    @torch.inference_mode()
    def foresee(self, scores: Scores, steps: Tensor, first_step: int, runner_up: bool) -> Scores:
        """Return one node's scores at later `steps` with unchanged logits: [steps, rows]."""
        if scores.kept is None:
            return scores.at(steps)
        values, first_position = scores.kept.values, scores.kept.first_position
        repeated = values.expand(len(steps), -1, -1)
        fields, _ = self._reduce(repeated, steps, first_step, first_position, runner_up)
        foreseen = Scores.to_host(steps, fields).fit(scores.kept.before, scores.token.shape[1])
        return replace(foreseen, kl=scores.at(steps).kl)

    def with_credit(self, logits: Tensor, memory: PathMemory | None, progress: Tensor) -> Tensor:
        """Return logits [nodes, rows, vocabulary] raised by the credit of their own memory, if there is any."""
        if self._fusion is None or memory is None or memory.credit is None:
            return logits
        alpha, _ = self._fusion.rates(progress, logits.device)
        return fuse(logits.to(self._wide(logits), copy=True), memory.credit, alpha)

    def perturbed(self, logits: Tensor, step: Tensor, first_step: int, first_position: int) -> Tensor:
        """Return float64 [nodes, rows, vocabulary]: logits + T · noise, -inf for excluded tokens."""
        possible = logits.index_fill(-1, _ids(self._never, logits.device), -torch.inf)
        perturbed = logits.double().masked_fill(self._shape(possible).isneginf(), -torch.inf)
        if not self._sampled:
            return perturbed
        return perturbed + self.settings.temperature * self._gumbel(logits, step + first_step, first_position)

    def _reduce(
        self,
        logits: Tensor,
        step: Tensor,
        first_step: int,
        first_position: int,
        runner_up: bool,
        judged: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the fields of `Scores` on the device, [nodes, rows] each, and the probabilities.

        At temperature 0, the logits may be overwritten.
        """
        shaped = self._shape(logits)
        preference = shaped
        if self._sampled:
            preference = shaped.double() + self._gumbel(logits, step + first_step, first_position)
        token = preference.argmax(dim=-1)
        other = _second_best(preference, token) if runner_up else judged
        basis = self._basis(logits, shaped, not self._sampled).to(self._wide(logits))
        probabilities = basis.softmax(dim=-1)
        probability = _of(probabilities, token)
        confidence = self._confidence(probabilities, probability)
        if self.settings.eos == "suppress_confidence":
            # If top-p kept end tokens alone, nothing is left, and the softmax is NaN.
            is_end = torch.isin(token, _ids(self._ends, token.device))
            confidence = torch.where(is_end, _LAST, confidence.double())
            probability = torch.where(is_end, 0.0, probability)
        other_probability = torch.zeros_like(probability) if other is None else _of(probabilities, other)
        fields = {
            "token": token,
            "confidence": confidence,
            "probability": probability,
            "other_token": token if other is None else other,
            "other_probability": other_probability,
        }
        if "entropy" in self._signals:
            own = basis.clone() if basis is logits and self._sampled else basis  # sampling keeps the logits
            fields["entropy"] = entropy(own, probabilities)
        return fields, probabilities

    def _basis(self, logits: Tensor, shaped: Tensor, in_place: bool) -> Tensor:
        """Return the logits of the distribution that confidences are taken from; in_place: whether to overwrite."""
        basis = logits if self.settings.ranking in LLADA_RANKINGS else shaped
        if self.settings.eos == "suppress_confidence":
            fill = basis.index_fill_ if in_place else basis.index_fill
            basis = fill(-1, _ids(self._ends, basis.device), -torch.inf)
        return basis

    def _with_credit(
        self, logits: Tensor, lineage: Lineage, progress: Tensor, fusion: Fusion, first_position: int
    ) -> tuple[Tensor, Credit]:
        """Return the fused logits, and the credit after this step."""
        logits = logits.to(self._wide(logits))
        shaped = self._shape(logits)
        token = shaped.argmax(dim=-1)
        basis = self._basis(logits, shaped, in_place=False)
        probability = _of(basis.softmax(dim=-1), token).double()
        if self.settings.eos == "suppress_confidence":
            probability = probability.nan_to_num(0.0)  # NaN: no token is left
        alpha, decay = fusion.rates(progress, logits.device)
        credit = give_credit(token, probability, lineage, fusion, decay, first_position)
        return fuse(logits, credit, alpha), credit

    def _confidence(self, probabilities: Tensor, probability: Tensor) -> Tensor:
        if self.settings.ranking == "topk_margin":
            best, second = probabilities.topk(2, dim=-1).values.unbind(dim=-1)
            return best - second
        if self.settings.ranking == "entropy":
            wide = no_half(probabilities)  # 1e-10 is 0 in it
            return (wide * (wide + 1e-10).log()).sum(dim=-1)
        return probability

    def _gumbel(self, logits: Tensor, step: Tensor, first_position: int) -> Tensor:
        _, rows, vocabulary = logits.shape
        positions = torch.arange(first_position, first_position + rows, device=logits.device)
        steps = step.to(logits.device, non_blocking=True)  # a blocking copy would wait for the forward
        return self._noise.gumbel(steps[:, None], positions, vocabulary)

    def _shape(self, logits: Tensor) -> Tensor:
        """Return logits after temperature, top-p and top-k, in the order of Dream's published sampler."""
        settings = self.settings
        shaped = logits
        if self._sampled:
            shaped = shaped.to(self._wide(logits)) / settings.temperature
        if settings.top_p < 1:
            shaped = keep_top_p(shaped.to(self._wide(logits)), settings.top_p)
        if settings.top_k is not None:
            shaped = keep_top_k(shaped, settings.top_k)
        return shaped

    def _wide(self, logits: Tensor) -> torch.dtype:
        return torch.float64 if self.settings.confidence_dtype == "float64" else logits.dtype


@cache
def _ids(tokens: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the ids as a tensor on the device, copied there once."""
    return torch.tensor(tokens, device=device)


def entropy(logits: Tensor, probabilities: Tensor) -> Tensor:
    """Return the entropies [nodes, rows], in nats, of probabilities [nodes, rows, vocabulary], softmax(logits).

    The sum is -ln p_max - Σ p · (logit - logit_max). No term is negative, so that a small entropy keeps its digits.
    Where no token is left, it is inf. The logits are overwritten.
    """
    wide, logits = no_half(probabilities), no_half(logits)
    best = logits.max(dim=-1, keepdim=True)
    gaps = logits.sub_(best.values).clamp_(min=torch.finfo(logits.dtype).min)  # 0 · -inf would be NaN
    return -(gaps.mul_(wide).sum(dim=-1) + wide.gather(-1, best.indices)[..., 0].log()).nan_to_num(-torch.inf)


def keep_top_p(logits: Tensor, top_p: float) -> Tensor:
    """Return logits with -inf outside the smallest set of likeliest tokens with a total probability above `top_p`."""
    ranked, order = logits.sort(dim=-1, descending=True, stable=True)
    before = ranked.softmax(dim=-1).cumsum(dim=-1).roll(1, dims=-1)
    before[..., 0] = 0
    return torch.full_like(logits, -torch.inf).scatter_(-1, order, ranked.masked_fill(before > top_p, -torch.inf))


def keep_top_k(logits: Tensor, top_k: int) -> Tensor:
    """Return logits with -inf for every token less likely than the k-th likeliest."""
    least = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def _second_best(preference: Tensor, token: Tensor) -> Tensor:
    best_two = preference.topk(2, dim=-1).indices
    return torch.where(best_two[..., 0] == token, best_two[..., 1], best_two[..., 0])


def _of(values: Tensor, token: Tensor) -> Tensor:
    return values.gather(-1, token[..., None])[..., 0]
