"""Universal coupling (APD, arXiv 2506.00413): two models choose tokens with the same noise, so they often agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ssd.decoding.noise import CounterNoise
from ssd.decoding.scoring import keep_top_k, keep_top_p
from ssd.decoding.settings import GenerationSettings, SpecialTokens

Variant = Literal["paper", "code"]


class Chooser:
    """Chooses tokens: the likeliest, or at a temperature T > 0 argmax(logits / T + Gumbel noise).

    At one position draft and mixture have the same noise (universal coupling), so that equal distributions choose equal
    tokens. Each round has new noise, because a token drawn again with a rejected draft's noise would not be a sample of
    the new marginal. The mask token is never chosen.
    """

    def __init__(
        self,
        settings: GenerationSettings,
        special: SpecialTokens,
        prompt_ids: Sequence[int],
        variant: Variant,
        device: torch.device,
    ) -> None:
        self._settings = settings
        never = (special.mask_id, *(special.end_ids[:1] if settings.eos == "suppress_logits" else ()))
        # Copied to the device once: a copy between two forwards would wait for the first.
        self._never, self._ends = (torch.tensor(ids, device=device) for ids in (never, special.end_ids))
        self._noise = CounterNoise(settings.seed, prompt_ids)
        self._variant = variant

    def allow(self, logits: Tensor) -> Tensor:
        """Return float64 logits [rows, vocabulary] (overwritten), -inf for the tokens that are never chosen."""
        return logits.index_fill_(1, self._never, -torch.inf).double()

    def draft(self, marginals: Tensor, step: int, position: int) -> Tensor:
        """Return int64 [rows]: tokens of logits [rows, vocabulary], at positions from `position` on in round `step`."""
        return self._choose(marginals, step, position, 1.0 if self._variant == "paper" else self._settings.temperature)

    def judge(self, mixture: Tensor, step: int, position: int) -> Tensor:
        """Return int64 [rows]: the tokens that drafts must equal; arguments as in `draft`."""
        return self._choose(mixture, step, position, 1.0) if self._variant == "paper" else mixture.argmax(dim=-1)

    def is_end(self, tokens: Tensor) -> Tensor:
        """Return bool [rows]: whether each of tokens [rows] ends a response."""
        return torch.isin(tokens, self._ends)

    def _choose(self, logits: Tensor, step: int, position: int, loudness: float) -> Tensor:
        settings = self._settings
        if not settings.temperature:
            return logits.argmax(dim=-1)
        shaped = logits / settings.temperature
        if settings.top_p < 1:
            shaped = keep_top_p(shaped, settings.top_p)
        if settings.top_k is not None:
            shaped = keep_top_k(shaped, settings.top_k)
        positions = torch.arange(position, position + logits.shape[0], device=logits.device)
        noise = self._noise.gumbel(torch.tensor(step), positions, logits.shape[1])
        return (shaped + loudness * noise).argmax(dim=-1)
