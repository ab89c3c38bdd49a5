"""Times of stored runs, from which the time of similar runs is estimated."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, cast

from ssd.campaign.planned_run import PlannedRun, stored_lines
from ssd.results.reader import read_config, read_environment, read_summary
from ssd.results.records import SIDES
from ssd.results.summary_schema import Summary

ALIKE = ("model", "task", "generation", "runtime")
WITHOUT_INFLUENCE = (
    "model.name", "model.verifier", "task.name", "task.sha256", "task.path", "task.workers", "generation.seed",
    "runtime.limit", "runtime.repeats", "runtime.pass_at", "runtime.traces", "runtime.warmup", "runtime.predict",
    "runtime.workers", "runtime.address", "runtime.device",
)  # fmt: skip
"""Options that hardly change the time of a response. The device is compared by its own name."""


class StoredTimes(NamedTuple):
    """A finished run's seconds per response, by side."""

    run_id: str
    config: Mapping[str, Any]
    device_name: str
    seconds: dict[str, float]


def own_seconds(run: PlannedRun) -> float | None:
    """Return seconds per response, all sides together, of the run's own stored responses; None without times."""
    if not run.stored:
        return None
    lines = [json.loads(line) for line in stored_lines(run.folder)]
    times = [line[side].get("time_s") for line in lines for side in SIDES if side in line]
    return None if None in times else sum(times) / len(lines)


def stored_times(results_dir: Path) -> Iterator[StoredTimes]:
    """Yield the times of every finished and timed run of a results folder. Unreadable runs are passed over."""
    for done in sorted(results_dir.glob("*/done.json")):
        folder = done.parent
        try:
            summary = read_summary(folder)
            if summary["tokens_per_s"]:
                device_name = read_environment(folder)["device_name"]
                yield StoredTimes(folder.name, read_config(folder), device_name, _seconds(summary))
        except (ValueError, KeyError, TypeError):
            continue


def alike_seconds(
    run: PlannedRun, stored: list[StoredTimes], device_name: str | None
) -> tuple[float, list[str]] | None:
    """Return seconds per response, all sides together, and the ids of the runs that give them; None without such runs.

    They are runs of the same decoder, else of any other: the decoder then counts as slow as the reference.
    device_name: None for any device of the run's kind.
    """
    relevant = _relevant(run.config)
    alike = [other for other in stored if _same_device(run, other, device_name) and _relevant(other.config) == relevant]
    same = [other for other in alike if other.config["decoder"]["name"] == run.config["decoder"]["name"]]
    seconds = [other.seconds for other in same]
    if not same:
        seconds = [other.seconds | {"decoder": other.seconds["reference"]} for other in alike]
    return (fmean(sum(each.values()) for each in seconds), [other.run_id for other in same or alike]) if alike else None


def _seconds(summary: Summary) -> dict[str, float]:
    """Return mean seconds per response by side, from tokens and tokens per second."""
    tokens, rates = (
        cast(Mapping[str, float], summary["tokens_total"]),
        cast(Mapping[str, float], summary["tokens_per_s"]),
    )
    seconds = {side: tokens[side] / rates[side] for side in ("reference", "decoder")}
    for hop in summary["hops"] or []:
        if (hop["from"], hop["to"]) == ("uncached", "reference"):
            assert hop["speedup"] is not None  # a timed run's
            seconds["uncached"] = seconds["reference"] * hop["speedup"]["ratio"]
    return seconds


def _relevant(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options on which the time of a response depends, without the decoder's."""
    return {
        f"{group}.{key}": value
        for group in ALIKE
        for key, value in config[group].items()
        if f"{group}.{key}" not in WITHOUT_INFLUENCE
    }


def _same_device(run: PlannedRun, other: StoredTimes, device_name: str | None) -> bool:
    if device_name is None:
        return run.config["runtime"]["device"] in ("auto", other.config["runtime"]["device"])
    return other.device_name == device_name
