"""Write a trained network as the files of a Hub checkpoint."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedTokenizerFast

from scripts.tiny.networks import Network, hub_weights
from scripts.tiny.tokenizer import save

MODEL_FILES = (
    "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "README.md",
)  # fmt: skip


def export(
    network: Network, tokenizer: PreTrainedTokenizerFast, hub_config: Mapping[str, Any], card: str, folder: Path
) -> None:
    """Write config, bfloat16 weights, tokenizer and card. Each file replaces its predecessor atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        draft = Path(temporary)
        save(tokenizer, draft)
        (draft / "config.json").write_text(json.dumps(dict(hub_config), indent=2, sort_keys=True) + "\n")
        ends = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
        (draft / "generation_config.json").write_text(json.dumps(ends, indent=2) + "\n")
        (draft / "README.md").write_text(card)
        weights = {name: weight.detach().to(torch.bfloat16).clone() for name, weight in hub_weights(network).items()}
        save_file(weights, draft / "model.safetensors", metadata={"format": "pt"})
        (draft / "model.safetensors").chmod(0o644)
        for name in MODEL_FILES:
            os.replace(draft / name, folder / name)


def round_to_bfloat16(network: Network) -> None:
    """Round the weights to those of the exported checkpoint, in place."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.to(torch.bfloat16))
