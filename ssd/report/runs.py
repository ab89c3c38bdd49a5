"""One row per run: its metrics, its configuration and its circumstances, from the small files of its folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ssd.decoding.cache_options import OPTIONS
from ssd.paths import CONF
from ssd.results.reader import ANEW, read_config, read_environment, read_failure, read_summary

REPLACED_BY_COMMIT = ("threshold", "factor")
"""Options of decoders that have no effect beside a rule of decoder/commit."""
TIMES = ("speedup.", "predicted_speedup", "tokens_per_s.")
"""Metrics of a comparison of times."""
AS_WRITTEN = ("config.", "environment.")
PAIRS = (
    "nfe", "token_rows", "node_evaluations", "tokens_per_forward", "tokens_per_s", "tokens_total", "tokens_useful",
    "tokens_cut", "ms_per_forward", "accuracy", "accuracy_strict", "verifier_s", "outside_model",
    "responses_per_forward",
)  # fmt: skip
COLUMNS = (
    "run_id", "folder", "status", "decoder", "model", "task", "error", "prompts", "responses", "turns",
    "claims_lossless", "compared_with", "caveat", "numerics", "speedup.ratio", "speedup.low", "speedup.high",
    "predicted_speedup",
    *(f"{name}.{side}" for name in PAIRS for side in ("reference", "decoder")), "nfe.ratio",
    *(f"nfe.by_kind.{kind}" for kind in ("refresh", "decode", "verify", "verifier")),
    "acceptance_length.mean", "acceptance_length.rate_by_depth", "oracle_tokens_per_forward",
    *(f"{name}.{rank}" for name in ("latency_s", "reference_latency_s") for rank in ("p50", "p90", "p99")),
    *(f"identity.{name}" for name in ("rate", "identical", "numeric", "algorithmic", "same_commit_order")),
    "identity.other_order.algorithmic",
    *(f"accuracy_difference.{name}" for name in ("difference", "low", "high", "mcnemar_p")),
    "peak_memory_mib", "hops", "reference_drift",
)  # fmt: skip
"""Columns that every frame of runs has."""
NEEDED: dict[str, Any] = {
    **dict.fromkeys(("prompts", "responses", "nfe.reference", "nfe.decoder", "nfe.ratio"), int | float),
    **dict.fromkeys(("accuracy.reference", "accuracy.decoder", "identity.rate"), int | float),
    "compared_with": str, "claims_lossless": bool,
}  # fmt: skip
"""Metrics of every finished run, and their types."""


def read_row(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Return a run's row, and notes of what could not be read. Raises ValueError if its configuration cannot be."""
    notes: list[str] = []
    try:
        config = read_config(folder)
    except ValueError as error:
        raise ValueError(_short(error, folder)) from error
    environment = _optional(read_environment, folder, notes)
    summary = _metrics(folder, notes) if (folder / "summary.json").is_file() else {}
    if dict(flatten(config)).get("runtime.numerics") == "locked":
        summary = _without_speedups(summary)
    failure = _optional(read_failure, folder, notes) if (folder / "error.json").is_file() else {}
    status = "done" if summary.get("status") == "done" else "failed" if failure else "unfinished"
    message = str(failure.get("error", "")).partition("\n")[0] or None if status == "failed" else None
    return {
        **summary,
        "run_id": folder.name,
        "folder": folder.name,
        "status": status,
        "error": message,
        **{group: str(config[group]["name"]) for group in ("decoder", "model", "task")},
        **{f"config.{name}": value for name, value in options_of(config).items()},
        **dict(flatten(environment, "environment.", nulls=True)),
    }, notes


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's options by dotted name; those of its cache only if they differ from their defaults.

    A group within a group, as `decoder.commit`, has the name of its choice beside its options. The decoder's own
    threshold and factor, which a commit rule replaces, are left out.
    """
    found: dict[str, Any] = {}
    for name, value in flatten(_without_replaced(_without_defaults(config)), nulls=True):
        group, _, key = name.rpartition(".")
        if key == "_target_" and "." in group:
            found[group] = _names_by_class(group).get(str(value), str(value).rpartition(".")[2])
        found[name] = value
    return found


@cache
def _names_by_class(group: str) -> dict[str, str]:
    """Return the names of a group's files in conf/ by the classes that they name."""
    files = (CONF / group.replace(".", "/")).glob("*.yaml")
    return {yaml.safe_load(file.read_text(encoding="utf-8"))["_target_"]: file.stem for file in files}


def _without_replaced(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's configuration without the decoder's options that its commit rule replaces."""
    decoder = config["decoder"]
    if not decoder.get("commit"):
        return dict(config)
    return {**config, "decoder": {name: value for name, value in decoder.items() if name not in REPLACED_BY_COMMIT}}


def _without_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's configuration with those options of its cache alone that differ from their defaults."""
    generation = dict(config["generation"])
    given = generation.pop("cache_options", None) or {}
    defaults = asdict(OPTIONS[generation["cache"]]()) if generation.get("cache") in OPTIONS else {}
    own = {name: value for name, value in given.items() if value is not None and value != defaults.get(name)}
    return {**config, "generation": {**generation, **({"cache_options": own} if own else {})}}


def flatten(values: Mapping[str, Any], prefix: str = "", nulls: bool = False) -> Iterator[tuple[str, Any]]:
    """Return nested mappings as dotted names and values; nulls: also of values that are None."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.", nulls)
        elif nulls or value is not None:
            yield f"{prefix}{name}", value


def _metrics(folder: Path, notes: list[str]) -> dict[str, Any]:
    """Return the summary by dotted name; nothing and a note if a metric lacks that every finished run has."""
    found = dict(flatten(_optional(read_summary, folder, notes)))
    lacking = [name for name, kind in NEEDED.items() if not isinstance(found.get(name), kind)]
    if found.get("status") != "done" or not lacking:
        return found
    notes.append(f"summary.json: without {', '.join(lacking)}; {ANEW}")
    return {}


def _without_speedups(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics without times: under locked numerics the reference computes nodes that it does not need."""
    kept = {name: value for name, value in metrics.items() if not name.startswith(TIMES)}
    if isinstance(kept.get("hops"), list):
        kept["hops"] = [{**link, "speedup": dict.fromkeys(("ratio", "low", "high"))} for link in kept["hops"]]
    return kept


def _optional(read: Callable[[Path], Any], folder: Path, notes: list[str]) -> dict[str, Any]:
    """Return a file's content without its schema number; nothing and a note if it cannot be read."""
    try:
        return {name: value for name, value in read(folder).items() if name != "schema"}
    except ValueError as error:
        notes.append(_short(error, folder))
        return {}


def _short(error: ValueError, folder: Path) -> str:
    """Return the message without the folder, which stands beside it in the report."""
    return str(error).removeprefix(f"{folder}{os.sep}")
