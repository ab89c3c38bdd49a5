"""Checkpoints of tiny random models, with a tokenizer, as users have them: every file of the Hub's layout."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
import yaml
from tokenizers import Tokenizer

from scripts.tiny import tokenizer
from ssd.modeling.config import Family
from tests.data import REPOSITORY
from tests.models import write_checkpoint
from tests.restless import restless_transformer

# What conf/model/{llada,dream}_tiny.yaml say of the trained ones.
MASK_ID, END_ID, CONTEXT_LENGTH = 1, 0, 4096
PRESETS: dict[Family, str] = {"llada": "llada_tiny", "dream": "dream_tiny"}
_STARTS_WITH: dict[Family, str] = {"llada": tokenizer.START, "dream": ""}


def write_tiny_checkpoint(folder: Path, family: Family, seed: int = 0) -> Path:
    """A random model behind the tiny checkpoints' own tokenizer; its responses change from prompt to prompt."""
    transformer = restless_transformer(
        family,
        seed,
        torch.float32,
        vocabulary_size=tokenizer.VOCABULARY_SIZE,
        context_length=CONTEXT_LENGTH,
        mask_id=MASK_ID,
        end_id=END_ID,
    )
    write_checkpoint(folder, transformer)
    tokenizer.save(tokenizer.wrap(trained_tokenizer(), _STARTS_WITH[family], CONTEXT_LENGTH), folder)
    training = yaml.safe_load((REPOSITORY / "scripts" / "tiny" / "recipes" / f"{PRESETS[family]}.yaml").read_text())
    config: dict[str, Any] = training["config"] | json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@cache
def trained_tokenizer() -> Tokenizer:
    """Return the tiny checkpoints' tokenizer, trained once per process."""
    return tokenizer.train_tokenizer()
