"""Published numbers beside measured ones, where the settings are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ssd.paths import CONF, ROOT
from ssd.report.results import Results
from ssd.report.titles import REFERENCE

FOLDER, MODELS = ROOT / "results" / "published", CONF / "model"
SAME = ("model", "task", "gen_length", "block_length", "method")
"""Columns that a published number and a run share if they are compared, beside the settings of the source."""
STATED = {
    r"\b(\w+) cache\b": "generation.cache", r"\bbatch (\d+)": "runtime.batch_size",
    r"\beos (\w+)": "generation.eos", r"\btau=([\d.]+)": "decoder.threshold", r"\b(\d+) drafts": "decoder.budget",
    r"\bdraft_steps=(\d+)": "decoder.draft_steps", r"\btemperature=([\d.]+)": "generation.temperature",
}  # fmt: skip
"""Pattern in a source's setting → name of our option."""
NOT_MEASURED = dict.fromkeys(("measured", "run_id", "prompts", "device", "cache"))
COUNTS_USEFUL = ("2505.22618",)
"""Papers that count tokens per second before the first end token; of others the count is unknown."""
RATIOS = ("speedup", "nfe_ratio", "steps_reduction_percent")
"""Metrics that have a meaning without a run beside them."""
MEASURED = {
    "accuracy_percent": ("accuracy.decoder", 100.0),
    "nfe": ("nfe.decoder", 1.0),
    "nfe_ratio": ("nfe.ratio", 1.0),
    "speedup": ("speedup.ratio", 1.0),
}


def published(folder: Path = FOLDER) -> pd.DataFrame:
    """Return the numbers of results/published, a row each; its README explains them. Empty without the folder."""
    frames = [pd.read_csv(file, dtype=str, keep_default_na=False) for file in sorted(folder.glob("*.csv"))]
    if not frames:
        return pd.DataFrame(columns=[*SAME, "metric", "value"])
    rows = pd.concat(frames, ignore_index=True)
    return rows.assign(value=pd.to_numeric(rows["value"]))


def beside_measured(results: Results, figures: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return every published number beside every finished run with the same settings.

    Further columns: `measured`, in the published number's unit; `run_id`, `prompts`, `device` and `cache` of the run.
    A number without such a run has one row, in which these are None.
    """
    rows = published() if figures is None else figures
    runs: dict[tuple[str, ...], list[pd.Series]] = {}
    for _, run in results.done.iterrows():
        for key in _keys(run):
            runs.setdefault(key, []).append(run)
    beside: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = [
        dict(zip(map(str, rows), row, strict=True)) for row in rows.itertuples(index=False)
    ]
    for figure in records:
        key = tuple(figure[name] for name in SAME)
        alike = [run for run in runs.get(key, []) if _set_alike(figure, run)]
        found = [measured_by(run, figure, results) for run in alike]
        beside += [{**figure, **measured} for measured in found if measured] or [{**figure, **NOT_MEASURED}]
    return pd.DataFrame(beside, columns=[*rows.columns, *NOT_MEASURED])


def measured_by(run: pd.Series, figure: Mapping[str, Any], results: Results) -> dict[str, Any] | None:
    """Return a run's value for a published number, in its unit; None if the run lacks it."""
    metric = figure["metric"]
    if metric == "latency_s":
        lines = results.samples[results.samples["run_id"] == run["run_id"]]
        locked = run.get("config.runtime.numerics") == "locked"
        value = None if locked else lines["decoder.latency_s"].mean()
    elif metric == "tokens_per_s":
        useful = run["tokens_per_s.decoder"] * run["tokens_useful.decoder"] / run["tokens_total.decoder"]
        value = useful if figure["paper"] in COUNTS_USEFUL else None
    elif metric == "steps_reduction_percent":
        value = 100 * (1 - 1 / run["nfe.ratio"])
    else:
        name, factor = MEASURED[metric]
        value = run[name] * factor
    if pd.isna(value):
        return None
    told = {"device": run.get("environment.device_name"), "cache": run.get("config.generation.cache")}
    return {"measured": value, "run_id": run["run_id"], "prompts": run["prompts"], **told}


def _set_alike(figure: Mapping[str, Any], run: pd.Series) -> bool:
    """Return whether the run's options are those of the source.

    A source without other settings decodes greedily, one token per step, and compares with that.
    """
    length, steps = (run.get(f"config.generation.{name}") for name in ("gen_length", "steps"))
    wanted = {"generation.temperature": "0"} | dict(_stated(figure["setting"]))
    if figure["num_fewshot"]:
        wanted["task.num_fewshot"] = figure["num_fewshot"]
    same = all(_same(run.get(f"config.{name}"), value) for name, value in wanted.items())
    return same and steps in (None, length) and run["compared_with"] == REFERENCE


def _stated(setting: str) -> Iterator[tuple[str, str]]:
    """Return our names and values of the options in a source's setting."""
    for pattern, name in STATED.items():
        found = re.search(pattern, setting)
        if found is None:
            continue
        value = {"no": "none"}.get(found[1], found[1])
        yield name, str(int(value) + 1) if name == "decoder.budget" else value  # the current state is no draft
        if name == "decoder.threshold":
            yield "decoder.rule", "threshold"


def _same(value: Any, stated: str) -> bool:
    if isinstance(value, int | float):
        return float(value) == float(stated)
    return str(value) == stated


def _keys(run: pd.Series) -> set[tuple[str, ...]]:
    """Return the keys of published numbers for this run, with the Hub name of its model and with its path."""
    models = {hub_names().get(run["model"], run["model"]), str(run.get("config.model.path"))}
    lengths = [str(run.get(f"config.generation.{name}")) for name in ("gen_length", "block_length")]
    return {(model, run["task"], *lengths, run["decoder"]) for model in models}


@cache
def hub_names() -> dict[str, str]:
    """Return the Hub name of each model in conf/model by our name; empty without that folder."""
    models = [yaml.safe_load(file.read_text(encoding="utf-8"))["model"] for file in MODELS.glob("*.yaml")]
    return {model["name"]: model["path"] for model in models}
