"""The id of a run: a readable prefix, and a hash of what its results depend on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

NOT_HASHED = (
    "results_dir", "overwrite", "repair", "tracker", "task.workers", "runtime.pass_at", "runtime.workers",
    "runtime.address", "runtime.limit", "task.path", "task.fewshot_path", "decoder.graph", "decoder.prior",
    "generation.token_frequencies",
)  # fmt: skip
"""Options without influence on a result, and paths of files whose contents are hashed instead."""
NOT_HASHED_UNTIMED = ("runtime.warmup", "runtime.predict")
"""Further options without influence on a result where nothing is timed."""


def run_id(config: Mapping[str, Any]) -> str:
    """Return a readable prefix and a hash of the result-relevant part of a resolved configuration."""
    ignored: tuple[str, ...] = NOT_HASHED if config["runtime"]["timing"] else NOT_HASHED + NOT_HASHED_UNTIMED
    if isinstance(config["decoder"].get("costs"), str):  # a path; values are hashed
        ignored += ("decoder.costs",)
    relevant = {
        group: {key: value for key, value in values.items() if f"{group}.{key}" not in ignored}
        if isinstance(values, Mapping)
        else values
        for group, values in config.items()
        if group not in ignored
    }
    digest = hashlib.sha256(json.dumps(plain(relevant), sort_keys=True).encode()).hexdigest()
    names = (path_part(config[group]["name"]) for group in ("decoder", "model", "task"))
    return "-".join((*names, digest[:10]))


def path_part(name: str) -> str:
    """Return a name as a part of a file's name: without slashes or control characters, 60 bytes at most."""
    return re.sub(r"[^\w.+-]", "_", name).encode()[:60].decode(errors="ignore")


def plain(value: Any) -> Any:
    """Return the value with equal numbers written alike: 1.0 as 1."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
