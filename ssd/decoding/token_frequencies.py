"""Files of token frequencies, for the ranking of PC-Sampler (arXiv 2508.13021). Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ssd.paths import find_file

FORMAT = 1
MAKE_ONE = "make one with python scripts/count_tokens.py TEXTS --model FOLDER --out FILE"


def find_frequencies(path: str) -> Path:
    """Return the file at a path, also relative to the project. Raises FileNotFoundError."""
    return find_file("generation.token_frequencies", path, MAKE_ONE)


def write_frequencies(file: Path, counts: Mapping[int, int]) -> None:
    """Write the counts of a corpus by token id."""
    content = {
        "format": FORMAT,
        "total": sum(counts.values()),
        "counts": {str(id): counts[id] for id in sorted(counts)},
    }
    file.write_text(json.dumps(content) + "\n")


@cache
def token_frequencies(path: str) -> tuple[float, ...]:
    """Return the share of each token id up to the largest, and then that of unseen tokens, 1 / total.

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
    return tuple(counts.get(id, 1) / total for id in range(max(counts) + 2))
