"""Special token ids of a checkpoint, as its own files have them."""

from __future__ import annotations

from pathlib import Path

from ssd.decoding.settings import SpecialTokens
from ssd.modeling.config import ModelConfig
from ssd.modeling.json_values import read_json


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
            f"EOS {config.end_id}); take both files from the model's Hub page"
        )
    return SpecialTokens(config.mask_id, tuple(dict.fromkeys((*config.end_ids, *end_ids))))
