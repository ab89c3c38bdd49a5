"""What the title of a group shows: its model, its task, and in what it differs from other groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import pandas as pd

from ssd.report.names import numbers, short_paths

PATH, CHECKSUM = "config.model.path", "environment.checkpoint"
CHECKPOINT = {PATH: "path", "config.model.revision": "revision", CHECKSUM: "checkpoint"}
"""Columns in which two models of one name differ."""
CIRCUMSTANCES = {
    **CHECKPOINT, "environment.device_name": "", "environment.threads": "threads", "config.runtime.dtype": "",
    "config.runtime.numerics": "numerics", "config.runtime.engine": "engine", "config.runtime.batch_size": "batch",
    "environment.libraries.torch": "torch", "environment.cuda": "CUDA", "environment.attention_backend": "attention",
}  # fmt: skip
"""Circumstances that a measurement depends on, and their names in titles."""
SHORT: dict[str, Callable[[Iterable[str]], dict[str, str]]] = {PATH: short_paths, CHECKSUM: numbers}
"""Columns whose values are too long for a title."""
ALWAYS_TOLD = ("environment.device_name", "config.runtime.dtype")
SETTINGS = ("config.generation.gen_length", "config.generation.block_length", "config.generation.cache")
"""Options of generation that the text below tables and figures shows where all runs share them."""
REFERENCE = "stepwise decoding"
"""The reference of a group whose title names no other."""
EXPERIMENT = ("config.generation.", "config.task.")
"""Options of the question and of generation: a speedup is relative to stepwise decoding with the same options."""
NO_MATTER = tuple(f"config.task.{name}" for name in ("name", "_target_", "path", "fewshot_path", "workers"))


def title_parts(runs: pd.DataFrame, splitting: Sequence[str]) -> Callable[[pd.Series], tuple[str, ...]]:
    """Return the function that gives the parts of a run's title; splitting: the columns that separate groups."""
    told = [name for name in splitting if name in ("compared_with", *ALWAYS_TOLD) or _is_told(runs, name)]
    if {PATH, CHECKSUM} <= set(told) and _is_one_to_one(runs, PATH, CHECKSUM):
        told.remove(CHECKSUM)
    short = {name: shorten(runs[name].map(str)) for name, shorten in SHORT.items() if name in told}
    return lambda row: tuple(_told(row, ["model", "task", *told], short))


def shared_settings(runs: pd.DataFrame) -> tuple[str, ...]:
    """Return those of `SETTINGS` that all runs share, as titles spell them."""
    same = [name for name in SETTINGS if name in runs and runs[name].map(str).nunique() == 1]
    return tuple(_told(runs.iloc[0], same, {})) if same else ()


def _is_one_to_one(runs: pd.DataFrame, name: str, other: str) -> bool:
    """Return whether the values of one column determine those of another, for each model."""
    pairs = runs[["model", name, other]].map(str).drop_duplicates()
    return len(pairs) == len(pairs[["model", name]].drop_duplicates())


def _is_told(runs: pd.DataFrame, name: str) -> bool:
    """Return whether a column differs between runs of one model; for options, between runs of one model and task."""
    same = ["model"] if name in CHECKPOINT else ["model", "task"] if name.startswith(EXPERIMENT) else []
    lots = [rows for _, rows in runs.groupby(same)] if same else [runs]
    return any(rows[name].map(str).nunique() > 1 for rows in lots)


def _told(row: pd.Series, names: Iterable[str], short: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Return the parts of a title. short: of columns with long values the short form of each value."""
    for name in dict.fromkeys(names):
        if name in ("model", "task", *ALWAYS_TOLD):
            yield str(row[name])
        elif name == "compared_with":
            yield from () if row[name] == REFERENCE else (f"against {row[name]}",)
        elif not name.endswith("sha256") and pd.notna(row[name]):
            value = f"{row[name]:.0f}" if isinstance(row[name], float) and row[name] % 1 == 0 else str(row[name])
            value = short.get(name, {}).get(value, value)
            yield f"{CIRCUMSTANCES.get(name) or name.rpartition('.')[2]} {value}"
