"""Projections of runs: what their counted forwards would cost in a published model's shape on named devices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ssd.modeling.config import ModelConfig
from ssd.modeling.published import PUBLISHED
from ssd.report.projection.counted import counted, obstacle
from ssd.report.projection.devices import device, devices, shape
from ssd.report.projection.engines import engine
from ssd.report.projection.roofline import Range, needed_bytes, response_s
from ssd.report.results import Results

SIDES = ("reference", "decoder")


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
    return f"projected from counts of {model if model in PUBLISHED else f'a tiny model ({model})'}"


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
        _check(run, generation, name)
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
    """Return the published shape of the run's family, as the names tell: llada for llada_tiny; else by the grid."""
    family = str(run["model"]).partition("_")[0]
    alike = [name for name in PUBLISHED if name.partition("_")[0] == family and not _is_small(PUBLISHED[name])]
    return alike[-1] if alike else "sdar_8b" if run.get("config.generation.grid") == "absolute" else "llada"


def _is_small(config: ModelConfig) -> bool:
    return config.tied_head or config.hidden_size < 2560


def _check(run: Mapping[str, Any], generation: Mapping[str, Any], name: str) -> None:
    """Raise ValueError if the run's attention is not the model's."""
    is_causal = generation.get("grid") == "absolute"
    if is_causal != (PUBLISHED[name].causal_block is not None):
        fitting = [other for other, config in PUBLISHED.items() if is_causal == (config.causal_block is not None)]
        attention = "block-causal" if is_causal else "full"
        raise ValueError(
            f"--model {name}: {run['run_id']} has {attention} attention; expected one of {', '.join(fitting)}"
        )
