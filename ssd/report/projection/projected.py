"""Projections of runs: what their counted forwards would cost in a published model's shape on named devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ssd.modeling.published import PUBLISHED
from ssd.report.projection.counted import counted, obstacle
from ssd.report.projection.devices import device, devices, shape
from ssd.report.projection.engines import engine
from ssd.report.projection.roofline import Range, needed_bytes, response_s
from ssd.report.results import Results

SIDES = ("reference", "decoder")
OF_FAMILY = {
    "llada": "llada",
    "dream": "dream",
    "sdar": "sdar_8b",
    "trado": "sdar_8b",
    "fast_dllm_v2": "fast_dllm_v2_7b",
}
"""The beginning of a model's name in conf/model → the published shape that its runs are projected to."""


@dataclass(frozen=True)
class Target:
    """What runs are projected to. models: names of published shapes, none: the run's own family; devices: none: all."""

    models: Sequence[str] = ()
    devices: Sequence[str] = ()
    engine: str = "graph"
    batch: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError, which lists the known names, for an unknown one."""
        for name in self.models:
            shape(name)
        for name in self.devices:
            device(name)
        engine(self.engine)
        if self.batch < 1:
            raise ValueError(f"--batch {self.batch}: expected a whole number of at least 1")


def source(run: Mapping[str, Any]) -> str:
    """Return the words that label every projection of a run: whose counts it comes from."""
    model = run["model"]
    return f"projected from counts of {f'a tiny model ({model})' if 'tiny' in model else model}"


def rows(results: Results, runs: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Return a row per run, published model and device: the run's columns, and ranges of seconds and of the speedup.

    Ranges are NaN where weights, keys and values exceed the device's memory.
    runs: finished ones without `obstacles`. Raises ValueError for a run whose attention is not the model's.
    """
    return pd.DataFrame([row for _, run in runs.iterrows() for row in _rows(results, run, target)])


def _rows(results: Results, run: pd.Series, target: Target) -> Iterator[dict[str, Any]]:
    found = _forwards(results, run)
    prefix = "config.generation."
    generation = {name.removeprefix(prefix): run[name] for name in map(str, run.index) if name.startswith(prefix)}
    sides = [counted(found[found["side"] == side], generation) for side in SIDES]
    for name in target.models or [default_model(run)]:
        if name not in fitting(run):
            raise ValueError(
                f"--model {name}: {run['run_id']} has another kind of attention; expected one of "
                f"{', '.join(fitting(run))}"
            )
        for place in target.devices or devices():
            known = device(place)
            parts = (shape(name), known, engine(target.engine), target.batch)
            seconds = [response_s(side, *parts) for side in sides]
            if max(needed_bytes(side, shape(name), target.batch) for side in sides) > known.memory_bytes:
                seconds = [np.full_like(each, np.nan) for each in seconds]
            ranges = {f"{side}_s": Range.of(each) for side, each in zip(SIDES, seconds, strict=True)}
            ranges["projected_speedup"] = Range.of(seconds[0] / seconds[1])
            yield {
                **run,
                "projected_model": name,
                "device": known.title,
                **{f"{key}.{end}": getattr(each, end) for key, each in ranges.items() for end in Range._fields},
            }


def obstacles(results: Results) -> dict[str, str]:
    """Return the reason, with the remedy, for each run that cannot be projected."""
    reasons = {}
    for _, run in results.runs.iterrows():
        if run["status"] != "done":
            reasons[run["run_id"]] = "it is not finished; repeat its command, which resumes it"
        elif reason := obstacle(_forwards(results, run), run["config.generation.cache"]):
            reasons[run["run_id"]] = reason
    return reasons


def _forwards(results: Results, run: pd.Series) -> pd.DataFrame:
    stored = results.forwards()
    return stored[stored["run_id"] == run["run_id"]]


def default_model(run: Mapping[str, Any]) -> str:
    """Return the published shape of the family in the run's name, or else of its kind of attention."""
    named = [shape for family, shape in OF_FAMILY.items() if str(run["model"]).startswith(family)]
    return next(name for name in (*named, "llada", "sdar_8b") if name in fitting(run))


def fitting(run: Mapping[str, Any]) -> list[str]:
    """Return the published shapes with the run's kind of attention: full, or block-causal on an absolute grid."""
    is_causal = run.get("config.generation.grid") == "absolute"
    return [name for name, config in PUBLISHED.items() if is_causal == (config.causal_block is not None)]
