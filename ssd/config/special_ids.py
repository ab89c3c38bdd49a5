"""Special token ids of a checkpoint, as its own files have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ssd.decoding.settings import SpecialTokens
from ssd.modeling.config import ModelConfig
from ssd.modeling.json_values import MEND, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_tokenizer(folder: Path, tokenizer: PreTrainedTokenizerBase, special: SpecialTokens) -> None:
    """Raise ValueError if a loaded tokenizer's mask token has another id than the model is decoded with."""
    found = tokenizer.mask_token_id
    if found not in (None, special.mask_id):
        raise ValueError(f"{folder}: the tokenizer's mask id is {found}, config.json has {special.mask_id}; {MEND}")


def special_of(folder: Path, config: ModelConfig) -> SpecialTokens:
    """Return the ids of config.json, and the further end ids of generation_config.json.

    Raises ValueError where the two files disagree.
    """
    file = folder / "generation_config.json"
    if not file.is_file():
        return SpecialTokens(config.mask_id, config.end_ids)
    stored, most = read_json(file), config.vocabulary_size - 1
    end_ids = stored.ids("eos_token_id", most, config.end_ids)
    mask_id = stored.whole("mask_token_id", 0, most, config.mask_id)
    if config.end_id not in end_ids or mask_id != config.mask_id:
        raise ValueError(
            f"{file}: mask id {mask_id} and end ids {list(end_ids)} disagree with config.json (mask {config.mask_id}, "
            f"EOS {config.end_id}); {MEND}"
        )
    return SpecialTokens(config.mask_id, tuple(dict.fromkeys((*config.end_ids, *end_ids))))
