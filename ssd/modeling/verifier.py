"""The verifier of APD (arXiv 2506.00413): an autoregressive model with the token ids of a dLLM."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ssd.modeling.checkpoint import load_tokenizer, resolve
from ssd.modeling.json_values import read_json
from ssd.modeling.weight_files import weight_files

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

REMEDY = "decoder.verifier=FOLDER or Hub id names one that fits"
DIFFERING_SHARE = 0.001
"""Largest share of the verifier's tokens with another id in the dLLM's vocabulary, or none. Added tokens may differ."""


class Verifier:
    """A causal transformer with the keys and values of the tokens it has read. Each `logits` call is one forward."""

    def __init__(self, module: PreTrainedModel) -> None:
        self.module: nn.Module = module.eval().requires_grad_(False)
        self.device = module.device
        self.vocabulary_size: int = module.get_output_embeddings().weight.shape[0]
        self._cache: Cache | None = None

    @property
    def cached(self) -> int:
        """Number of tokens read so far."""
        return 0 if self._cache is None else self._cache.get_seq_length()

    def reset(self) -> None:
        """Forget every token."""
        self._cache = None

    def crop(self, length: int) -> None:
        """Forget all but the first `length` tokens. Raises ValueError if fewer have been read."""
        if not 0 <= length <= self.cached:
            raise ValueError(f"cannot crop to {length} tokens, expected 0 to the {self.cached} that are cached")
        if self._cache is not None:
            self._cache.crop(length - self.cached)  # a negative number means the tokens to remove

    @torch.inference_mode()
    def logits(self, tokens: Tensor, last: int | None = None) -> Tensor:
        """Read tokens [n] after the cached ones. Returns logits [n, vocabulary] of the token after each.

        last: number of last rows to compute; None: all.
        """
        keep = len(tokens) if last is None else last
        tokens = tokens[None].to(self.device, non_blocking=True)
        output: Any = self.module(tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=keep)
        self._cache = output.past_key_values
        logits: Tensor = output.logits[0]
        return logits


def load_verifier(path: str, model_folder: Path, device: str | torch.device, dtype: torch.dtype) -> Verifier:
    """Return the verifier of a folder or Hub id, for the dLLM of `model_folder`. No remote code is run.

    Raises FileNotFoundError or ConnectionError if `path` does not exist, and ValueError if the two models have
    different token ids or transformers cannot load the folder.
    """
    folder = resolve(path, option="decoder.verifier")
    check_same_tokens(folder, load_tokenizer(folder).get_vocab(), load_tokenizer(model_folder).get_vocab())
    return Verifier(_load(folder, dtype).to(device))


def check_same_tokens(folder: Path, verifier: Mapping[str, int], model: Mapping[str, int]) -> None:
    """Raise ValueError unless nearly every token of the verifier's vocabulary has the id it has in the model's."""
    differing = [token for token, index in verifier.items() if model.get(token) != index]
    if len(differing) > DIFFERING_SHARE * len(verifier):
        example = min(differing, key=lambda token: (token not in model, verifier[token]))
        raise ValueError(
            f"decoder.verifier {folder}: {len(differing)} of its {len(verifier)} tokens have another id in the model's "
            f"vocabulary, expected {DIFFERING_SHARE:.1%} at most; {example!r} is {verifier[example]} there and "
            f"{model.get(example)} here; {REMEDY}"
        )


def _load(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        read_json(folder / "config.json")
        weight_files(folder)  # transformers would also read files outside of the folder
        with _no_progress_bars():
            module, report = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(
            f"decoder.verifier {folder}: transformers loads no autoregressive model from it "
            f"({str(error).strip().splitlines()[0]}); {REMEDY}"
        ) from error
    if report["missing_keys"]:  # transformers fills them with noise
        raise ValueError(
            f"decoder.verifier {folder}: missing weight {min(report['missing_keys'])}; was it downloaded in full?"
        )
    return module


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
