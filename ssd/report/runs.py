"""One row per run: its figures, its configuration and its circumstances, from the small files of its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

TIMES = ("speedup.", "predicted_speedup", "tokens_per_s.")
"""Figures of a comparison of times."""
OLDER = {"config.runtime.engine": "eager"}
"""What was so before it could be configured."""
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
AS_WRITTEN = ("config.", "environment.")
PAIRS = (
    "nfe", "token_rows", "node_evaluations", "tokens_per_forward", "tokens_per_s", "tokens_total", "tokens_useful",
    "ms_per_forward", "accuracy", "accuracy_strict", "verifier_s", "outside_model", "responses_per_forward",
)  # fmt: skip
COLUMNS = (
    "run_id", "folder", "status", "decoder", "model", "task", "error", "prompts", "responses", "claims_lossless",
    "compared_with", "caveat", "numerics", "speedup.ratio", "speedup.low", "speedup.high", "predicted_speedup",
    *(f"{name}.{side}" for name in PAIRS for side in ("reference", "decoder")), "nfe.ratio",
    *(f"nfe.by_kind.{kind}" for kind in ("refresh", "decode", "verify", "verifier")),
    "acceptance_length.mean", "acceptance_length.rate_by_depth", "oracle_tokens_per_forward",
    *(f"{name}.{rank}" for name in ("latency_s", "reference_latency_s") for rank in ("p50", "p90", "p99")),
    *(f"identity.{name}" for name in ("rate", "identical", "numeric", "algorithmic", "same_commit_order")),
    "identity.other_order.algorithmic",
    *(f"accuracy_difference.{name}" for name in ("difference", "low", "high", "mcnemar_p")),
    "peak_memory_mib", "hops", "reference_drift",
)  # fmt: skip
"""Columns that are there whatever the runs hold."""
FIGURES = (
    "prompts", "responses", "nfe.reference", "nfe.decoder", "nfe.ratio", "accuracy.reference", "accuracy.decoder",
    "identity.rate",
)  # fmt: skip
NEEDED: dict[str, Any] = {**dict.fromkeys(FIGURES, int | float), "compared_with": str, "claims_lossless": bool}
"""What the summary of every finished run holds, and of which type."""


def run_folders(root: Path) -> Iterator[Path]:
    """The folders in `root` that are runs, or look as if they were, by name; `root` itself if it is one."""
    if (root / "config.yaml").is_file():
        yield root.resolve()
        return
    files = ("config.yaml", "samples.jsonl", "summary.json", "done.json")
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and any((folder / name).is_file() for name in files):
            yield folder


def read_run(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """A run's row, and what could not be read of it. Raises ValueError if it cannot be told what was run."""
    notes: list[str] = []
    config = _mapping(folder / "config.yaml", lambda text: yaml.load(text, Loader=LOADER))
    names = {}
    for group in ("decoder", "model", "task"):
        values = config.get(group)
        if not isinstance(values, Mapping) or "name" not in values:
            raise ValueError(f"config.yaml: expected {group}.name; measure the run anew with overwrite=true")
        names[group] = str(values["name"])
    environment = _optional(folder / "environment.json", notes)
    summary = _figures(folder / "summary.json", notes) if (folder / "summary.json").is_file() else {}
    if dict(flatten(config)).get("runtime.numerics") == "locked":
        summary = _without_speedups(summary)
    failure = _optional(folder / "error.json", notes) if (folder / "error.json").is_file() else {}
    status = "done" if summary.get("status") == "done" else "failed" if failure else "unfinished"
    error = str(failure.get("error", "")).partition("\n")[0] or None if status == "failed" else None
    return {
        **summary,
        "run_id": folder.name,
        "folder": folder.name,
        "status": status,
        "error": error,
        **names,
        **OLDER,
        **dict(flatten(config, "config.", nulls=True)),
        **dict(flatten(environment, "environment.", nulls=True)),
    }, notes


def flatten(values: Mapping[str, Any], prefix: str = "", nulls: bool = False) -> Iterator[tuple[str, Any]]:
    """Nested mappings as dotted names; nulls: also of values that are None."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.", nulls)
        elif nulls or value is not None:
            yield f"{prefix}{name}", value


def _figures(file: Path, notes: list[str]) -> dict[str, Any]:
    """A finished run's figures by dotted name, or nothing and a note if any is lacking that every run has."""
    figures = dict(flatten(_optional(file, notes)))
    lacking = [name for name, kind in NEEDED.items() if not isinstance(figures.get(name), kind)]
    if figures.get("status") != "done" or not lacking:
        return figures
    notes.append(f"{file.name}: without {', '.join(lacking)}; measure the run anew with overwrite=true")
    return {}


def _without_speedups(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Under locked numerics the reference pays for nodes that it does not need: its times are nothing to compare."""
    kept = {name: value for name, value in figures.items() if not name.startswith(TIMES)}
    if isinstance(kept.get("hops"), list):
        kept["hops"] = [{**hop, "speedup": dict.fromkeys(("ratio", "low", "high"))} for hop in kept["hops"]]
    return kept


def _optional(file: Path, notes: list[str]) -> dict[str, Any]:
    """A JSON object, or nothing and a note of why it cannot be had."""
    try:
        return _mapping(file, json.loads)
    except ValueError as error:
        notes.append(str(error))
        return {}


def _mapping(file: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{file.name}: missing") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{file.name}: cannot be read ({reason})") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{file.name}: expected names and values, found {type(content).__name__}")
    return dict(content)
