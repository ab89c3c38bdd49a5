"""APD (arXiv 2506.00413): a dLLM drafts from left to right, and an autoregressive model helps to accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from baselines.coupling import Chooser, Variant
from ssd.decoding.canvas import Canvas, check_prompt
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.decoding.trace import Event, Kind, Pick, Trace
from ssd.modeling.checkpoint import local_folder, resolve
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.kv_cache import SlidingKVCache, Window
from ssd.modeling.verifier import Verifier, load_verifier


class APD(Decoder):
    """Adaptive parallel decoding, lossy. Each round drafts a token for every position ahead from the dLLM's marginals,
    accepts the first one, and those after it for as long as the mixture of both models chooses the same.

    mixture_weight: the dLLM's share of the mixture; kv_window: how many decided positions a forward recomputes, while
    keys and values left of them are frozen; max_lookahead: how many positions a round drafts, after which the canvas
    ends for the model; variant: `code` does as the authors' code, where the mixture chooses without noise and
    temperature, and the drafts' temperature acts as its square; verifier: the autoregressive model's folder or Hub id.
    Of the `generation` group gen_length, temperature, top_p, top_k, eos and seed matter. There are no blocks, no
    ranking and no other cache, and the first end token ends the response, whatever generation.stop says.
    Raises ValueError naming the option, its value and what was expected.
    """

    needs_verifier = True
    _reader: Verifier

    def __init__(
        self,
        mixture_weight: float = 0.7,
        kv_window: int = 16,
        max_lookahead: int = 100,
        variant: Variant = "paper",
        verifier: str | None = None,
    ) -> None:
        if type(mixture_weight) not in (int, float) or not 0 <= mixture_weight <= 1:
            raise ValueError(
                f"decoder.mixture_weight={mixture_weight}: expected a number from 0 (the verifier's choice) to 1 (the "
                "dLLM's)"
            )
        for name, value in (("kv_window", kv_window), ("max_lookahead", max_lookahead)):
            if type(value) is not int or value < 1:
                raise ValueError(f"decoder.{name}={value}: expected a whole number of at least 1")
        if variant not in get_args(Variant):
            raise ValueError(f"decoder.variant={variant!r}: expected one of {', '.join(get_args(Variant))}")
        if verifier is not None and (not isinstance(verifier, str) or not verifier):
            raise ValueError(f"decoder.verifier={verifier!r}: expected a folder or a Hub id")
        self.mixture_weight = mixture_weight
        self.kv_window = kv_window
        self.max_lookahead = max_lookahead
        self.variant: Variant = variant
        self.path = verifier

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        if settings.grid == "absolute":
            raise ValueError(
                f"decoder=apd with model family {model.family}: its window reaches over block borders, which "
                "block-causal attention does not allow; choose another decoder"
            )
        if settings.eos == "suppress_confidence":
            raise ValueError(
                "generation.eos=suppress_confidence: apd commits from left to right, whatever the confidence; pass "
                "generation.eos=keep or suppress_logits"
            )
        resolve(
            self._verifier_path(), option="decoder.verifier"
        )  # a missing verifier must be found before the dLLM is loaded

    def _verifier_path(self) -> str:
        """Return the path of decoder.verifier. Raises ValueError if there is none."""
        if self.path is None:
            raise ValueError(
                "decoder.verifier=null: apd needs an autoregressive model with this model's tokenizer; name one with "
                "decoder.verifier=FOLDER or Hub id"
            )
        return self.path

    def files(self) -> list[Path]:
        folder = local_folder(self.path) if self.path else None
        if folder and not (folder / "config.json").is_file():
            raise FileNotFoundError(f"decoder.verifier={self.path}: no config.json there; expected a model's folder")
        return [folder] if folder else []

    def load(self, model: DiffusionModel, folder: Path, settings: GenerationSettings, work: Workload) -> None:
        self.use(load_verifier(self._verifier_path(), folder, model.device, model.dtype))

    def use(self, verifier: Verifier) -> None:
        """Use a verifier that is loaded already."""
        self._reader, self.verifier = verifier, verifier.module

    @torch.inference_mode()
    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        check_prompt(prompt_ids, settings, special, model.config)
        canvas, trace = Canvas(prompt_ids, settings, special), Trace()
        context = SlidingKVCache(canvas.length)
        chooser = Chooser(settings, special, prompt_ids, self.variant, model.device)
        self._reader.reset()
        left, current, step, ended = 0, canvas.prompt_length, 0, False
        while current < canvas.length and not ended:
            right = min(current + self.max_lookahead, canvas.length)
            window = Window(left, right, current, right, right)
            logits = model.slide(canvas.tokens[left:right], window, context)[0]
            accepted = self._round(logits, canvas.tokens[:current], chooser, step)
            trace.events.extend(accepted.events(window, canvas.prompt_length, step))
            canvas.tokens[current : current + accepted.count] = torch.tensor(accepted.tokens)
            current, step, ended = current + accepted.count, step + 1, accepted.tokens[-1] in special.end_ids
            self._reader.crop(min(self._reader.cached, current))
            left = max(0, current - self._recomputed(accepted.count))
        trace.filled = canvas.length - current
        canvas.tokens[current:] = special.fill_id
        return Decoded(canvas.response.tolist(), trace)

    def _recomputed(self, accepted: int) -> int:
        """Return the number of decided positions that the next forward computes, after one that accepted `accepted`.

        It includes the accepted ones, whose stored keys and values are those of masks. The window never moves left.
        """
        return max(self.kv_window, accepted) if self.variant == "paper" else self.kv_window + accepted - 1

    def _round(self, logits: Tensor, decided: Tensor, chooser: Chooser, step: int) -> Accepted:
        """Return the accepted drafts of the dLLM's logits [rows, vocabulary], which follow tokens [decided]."""
        current, rows, read = len(decided), logits.shape[0], 0
        marginals = chooser.allow(logits)
        draft = chooser.draft(marginals, step, current)
        holds = torch.ones_like(draft)  # the first draft is always accepted
        if rows > 1:
            following, read = self._follow(decided, draft)
            choice = chooser.judge(self._mix(marginals[1:], following), step, current + 1)
            holds[1:] = ((choice == draft[1:]) & ~chooser.is_end(draft[:-1])).cumprod(dim=0)
        probability = marginals.softmax(dim=-1).gather(1, draft[:, None])[:, 0]
        # One copy to the host; float64 holds every token id.
        on_host = torch.stack((draft.double(), probability, holds.double())).cpu()
        count = int(on_host[2].sum())
        return Accepted(on_host[0, :count].long().tolist(), on_host[1, :count].tolist(), rows, read)

    def _follow(self, decided: Tensor, draft: Tensor) -> tuple[Tensor, int]:
        """Return the verifier's logits [rows - 1, vocabulary] after each draft but the last, and its tokens' number."""
        unread = decided[self._reader.cached :].to(draft.device, non_blocking=True)
        tokens = torch.cat((unread, draft[:-1]))
        known = tokens.clamp(max=self._reader.vocabulary_size - 1)  # a dLLM's vocabulary may be padded further
        return self._reader.logits(known, last=len(draft) - 1), len(tokens)

    def _mix(self, marginals: Tensor, following: Tensor) -> Tensor:
        """Return float64 [rows, common vocabulary]: logits of the two distributions' weighted product."""
        common = min(marginals.shape[1], following.shape[1])
        marginals, following = marginals[:, :common], following[:, :common].double()
        mixture = self.mixture_weight * marginals + (1 - self.mixture_weight) * following
        return torch.where(marginals.isneginf(), marginals, mixture)  # 0 · -inf is NaN


@dataclass(frozen=True)
class Accepted:
    """The accepted drafts of one round, on the host.

    confidences: each token's probability among the dLLM's marginals, whatever the temperature; drafts: number of
    drafts; read: number of tokens that the verifier read, 0 if it was not used.
    """

    tokens: list[int]
    confidences: list[float]
    drafts: int
    read: int

    @property
    def count(self) -> int:
        return len(self.tokens)

    def events(self, window: Window, origin: int, step: int) -> list[Event]:
        """Return the event of the dLLM's forward with all picks, and of the verifier's forward if there was one."""
        first = window.first_row - origin
        picks = map(Pick, range(first, first + self.count), self.tokens, self.confidences)
        accepted = tuple(int(depth < self.count) for depth in range(1, self.drafts))
        kind: Kind = "decode" if step else "refresh"
        depths = (1,) * len(accepted), accepted
        forward = Event(kind, 0, step, 1, window.size, tuple(picks), *depths, logit_rows=window.rows)
        return [forward, Event("verifier", 0, step, 1, self.read, ())] if self.read else [forward]
