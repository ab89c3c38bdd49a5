"""The shapes of published checkpoints, by the names of conf/model. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ssd.modeling.config import ModelConfig

FILE = Path(__file__).with_suffix(".json")


def _shape(more_end_ids: tuple[int, ...] = (), **fields: Any) -> ModelConfig:
    return ModelConfig(more_end_ids=tuple(more_end_ids), **fields)


PUBLISHED = MappingProxyType({name: _shape(**fields) for name, fields in json.loads(FILE.read_text("utf-8")).items()})
"""As in config.json of the checkpoints that conf/model names."""
