"""What papers report beside what was measured: only like with like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ssd.report.results import Results

PROJECT = Path(__file__).resolve().parents[2]
FOLDER, MODELS = PROJECT / "results" / "published", PROJECT / "conf" / "model"
SAME = ("model", "task", "gen_length", "block_length", "method")
"""What a published figure and a run must have in common to be compared, beside cache and examples if stated."""
NOT_MEASURED = dict.fromkeys(("measured", "run_id", "device", "cache"))
TIMES = ("speedup", "tokens_per_s", "latency_s")
CACHE = re.compile(r"\b(no|prefix|dual) cache")
RATIOS = ("speedup", "nfe_ratio", "steps_reduction_percent")
"""Metrics that mean something without a run beside them."""
MEASURED = {
    "accuracy_percent": ("accuracy.decoder", 100.0),
    "tokens_per_s": ("tokens_per_s.decoder", 1.0),
    "nfe": ("nfe.decoder", 1.0),
    "nfe_ratio": ("nfe.ratio", 1.0),
    "speedup": ("speedup.ratio", 1.0),
}


def published(folder: Path = FOLDER) -> pd.DataFrame:
    """The figures of results/published, a row each, as its README tells; none if the folder is not there."""
    frames = [pd.read_csv(file, dtype=str, keep_default_na=False) for file in sorted(folder.glob("*.csv"))]
    if not frames:
        return pd.DataFrame(columns=[*SAME, "metric", "value"])
    rows = pd.concat(frames, ignore_index=True)
    return rows.assign(value=pd.to_numeric(rows["value"]))


def beside_measured(results: Results, figures: pd.DataFrame | None = None) -> pd.DataFrame:
    """Every published figure beside every finished run that it can be compared with.

    Further columns: `measured`, in the published figure's unit; `run_id`, `device` and `cache` of the run. A figure
    that no run can be compared with has one row, in which these are None.
    """
    rows = published() if figures is None else figures
    runs: dict[tuple[str, ...], list[pd.Series]] = {}
    for _, run in results.done.iterrows():
        for key in _keys(run):
            runs.setdefault(key, []).append(run)
    beside: list[dict[str, Any]] = []
    for figure in rows.to_dict("records"):
        key = tuple(figure[name] for name in SAME)
        alike = [run for run in runs.get(key, []) if _set_alike(figure, run)]
        found = [measured_by(run, figure["metric"], results) for run in alike]
        beside += [{**figure, **measured} for measured in found if measured] or [{**figure, **NOT_MEASURED}]
    return pd.DataFrame(beside, columns=[*rows.columns, *NOT_MEASURED])


def measured_by(run: pd.Series, metric: str, results: Results) -> dict[str, Any] | None:
    """A run's figure for a published metric, in its unit; None if the run does not have it."""
    if metric == "latency_s":
        lines = results.samples[results.samples["run_id"] == run["run_id"]]
        value = lines["decoder.latency_s"].mean()
    elif metric == "steps_reduction_percent":
        value = 100 * (1 - 1 / run["nfe.ratio"])
    else:
        name, factor = MEASURED[metric]
        value = run[name] * factor
    if pd.isna(value) or (metric in TIMES and run.get("config.runtime.numerics") == "locked"):
        return None
    device, cached = run.get("environment.device_name"), run.get("config.generation.cache")
    return {"measured": value, "run_id": run["run_id"], "device": device, "cache": cached}


def _set_alike(figure: Mapping[str, Any], run: pd.Series) -> bool:
    """Whether cache and number of examples are those of the run, so far as the source states them."""
    cached = CACHE.search(figure["setting"])
    fewshot = str(run.get("config.task.num_fewshot"))
    same_cache = cached is None or cached[1].replace("no", "none") == run.get("config.generation.cache")
    return same_cache and figure["num_fewshot"] in ("", fewshot)


def _keys(run: pd.Series) -> set[tuple[str, ...]]:
    """What published figures call this run: by the Hub name of its model, which may have been a local copy."""
    models = {hub_names().get(run["model"], run["model"]), str(run.get("config.model.path"))}
    lengths = [str(run.get(f"config.generation.{name}")) for name in ("gen_length", "block_length")]
    return {(model, run["task"], *lengths, run["decoder"]) for model in models}


@cache
def hub_names() -> dict[str, str]:
    """The Hub name of each model in conf/model, by the name it has here; empty outside a checkout."""
    models = [yaml.safe_load(file.read_text(encoding="utf-8"))["model"] for file in MODELS.glob("*.yaml")]
    return {model["name"]: model["path"] for model in models}
