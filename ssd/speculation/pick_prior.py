"""The prior of the pick model as a file: weights that were fitted to one model and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from ssd.paths import find_file
from ssd.speculation.pick_model import Features

FORMAT = 1
MAKE_ONE = "make one with ssd-bench calibrate model=NAME task=NAME --out FILE"


def prior_content(weights: Features, calibrated_on: Mapping[str, Any], held_out: list[dict[str, Any]]) -> str:
    """Return the text of a file for `decoder.prior`.

    calibrated_on: the circumstances; held_out: tokens per forward on prompts that were not used for the fit.
    """
    content = {"format": FORMAT, "calibrated_on": calibrated_on, "weights": weights._asdict(), "held_out": held_out}
    return json.dumps(content, indent=2) + "\n"


def find_prior(path: str) -> Path:
    """Return the file at a path, also relative to the project. Raises FileNotFoundError."""
    return find_file("decoder.prior", path, f"{MAKE_ONE} and pass decoder.prior=FILE")


def read_prior(file: Path) -> Features:
    """Return the weights of a file. Raises ValueError in one line for a file that holds no prior."""
    try:
        return _weights_from(json.loads(file.read_text()))
    except ValueError as error:
        raise ValueError(f"decoder.prior={file}: not a prior ({error}); {MAKE_ONE}") from error


def _weights_from(content: Any) -> Features:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'expected "format": {FORMAT}')
    weights = content.get("weights")
    if not isinstance(weights, dict) or set(weights) != set(Features._fields):
        raise ValueError(f'expected "weights" with {", ".join(Features._fields)}')
    for name, weight in weights.items():
        if type(weight) not in (int, float) or not isfinite(weight):
            raise ValueError(f"weight {name}={weight}: expected a finite number")
    return Features(**{name: float(weight) for name, weight in weights.items()})
