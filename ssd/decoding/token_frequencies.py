"""Frequencies of tokens in a corpus, and their files, for the ranking of PC-Sampler (arXiv 2508.13021)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ssd.paths import ROOT

FORMAT = 1
MAKE_ONE = "make one with python scripts/count_tokens.py TEXTS --model FOLDER --out FILE"


def find_frequencies(path: str) -> Path:
    """Return the file at a path, also relative to the project. Raises FileNotFoundError."""
    for file in (Path(path).expanduser(), ROOT / path):
        if file.is_file():
            return file
    raise FileNotFoundError(f"generation.token_frequencies={path}: no such file; {MAKE_ONE}")


def write_frequencies(file: Path, counts: Mapping[int, int]) -> None:
    """Write the counts of a corpus by token id."""
    content = {
        "format": FORMAT,
        "total": sum(counts.values()),
        "counts": {str(id): counts[id] for id in sorted(counts)},
    }
    file.write_text(json.dumps(content) + "\n")


@cache
def token_frequencies(path: str) -> Tensor:
    """Return float64 [largest id + 2]: the share of each token; the last entry is that of unseen tokens, 1 / total.

    Raises FileNotFoundError or ValueError in one line that names the option.
    """
    file = find_frequencies(path)
    try:
        content = json.loads(file.read_text())
        total, counts = content["total"], {int(id): count for id, count in content["counts"].items()}
        right = content["format"] == FORMAT and total > 0 and min(counts) >= 0 and min(counts.values()) > 0
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"generation.token_frequencies={path}: no frequency file ({error}); {MAKE_ONE}") from error
    if not right:
        raise ValueError(
            f"generation.token_frequencies={path}: expected format {FORMAT}, and counts above 0; {MAKE_ONE}"
        )
    shares = torch.full((max(counts) + 2,), 1 / total, dtype=torch.float64)
    shares[torch.tensor(list(counts))] = torch.tensor(list(counts.values()), dtype=torch.float64) / total
    return shares


def frequency_of(tokens: Tensor, path: str) -> Tensor:
    """Return float64 of the shape of `tokens` (int64, on the host): their frequencies."""
    shares = token_frequencies(path)
    return shares[tokens.clamp(max=len(shares) - 1)]
