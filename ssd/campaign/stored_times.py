"""What runs that are stored tell about the time that others will take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from ssd.campaign.planned_run import PlannedRun, stored_lines

SIDES = ("reference", "decoder", "uncached")
ALIKE = ("model", "task", "generation", "runtime")
NOT_ASKED = (
    "model.name", "model.verifier", "task.name", "task.sha256", "task.path", "task.workers", "generation.seed",
    "runtime.limit", "runtime.repeats", "runtime.pass_at", "runtime.traces", "runtime.warmup", "runtime.predict",
    "runtime.workers", "runtime.address", "runtime.device",
)  # fmt: skip
"""Options that a response's time hardly depends on, or (the device) that are looked at by themselves."""


class StoredTimes(NamedTuple):
    """A finished run's seconds per response, by side."""

    run_id: str
    config: Mapping[str, Any]
    device_name: str
    seconds: dict[str, float]


def own_seconds(run: PlannedRun) -> float | None:
    """Seconds per response of all sides together, from the responses that an unfinished run has; None if untimed."""
    if not run.stored:
        return None
    lines = [json.loads(line) for line in stored_lines(run.folder)]
    times = [line[side].get("time_s") for line in lines for side in SIDES if side in line]
    return None if None in times else sum(times) / len(lines)


def stored_times(results_dir: Path) -> Iterator[StoredTimes]:
    """Every finished and timed run of a results folder that can be read; others are no evidence."""
    for done in sorted(results_dir.glob("*/done.json")):
        try:
            summary, environment = (json.loads((done.parent / name).read_text()) for name in FILES)
            config = yaml.load((done.parent / "config.yaml").read_text(), Loader=LOADER)
            if summary["tokens_per_s"]:
                yield StoredTimes(done.parent.name, config, environment["device_name"], _seconds(summary))
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
            continue


def alike_seconds(
    run: PlannedRun, stored: list[StoredTimes], device_name: str | None
) -> tuple[float, list[str]] | None:
    """Seconds per response of all sides, and the runs it is known from: of the same decoder, else of any, in which case
    the decoder is taken to need the reference's time. device_name: None for any device of the kind asked for."""
    asked = _asked(run.config)
    alike = [other for other in stored if _same_device(run, other, device_name) and _asked(other.config) == asked]
    kin = [other for other in alike if other.config["decoder"]["name"] == run.config["decoder"]["name"]]
    if kin:
        return _mean([sum(other.seconds.values()) for other in kin]), [other.run_id for other in kin]
    if alike:
        as_reference = [other.seconds | {"decoder": other.seconds["reference"]} for other in alike]
        return _mean([sum(seconds.values()) for seconds in as_reference]), [other.run_id for other in alike]
    return None


FILES = ("summary.json", "environment.json")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _seconds(summary: Mapping[str, Any]) -> dict[str, float]:
    """Mean seconds per response by side, from tokens and tokens per second."""
    tokens, rates = summary["tokens_total"], summary["tokens_per_s"]
    seconds = {side: tokens[side] / rates[side] for side in ("reference", "decoder")}
    for hop in summary["hops"] or []:
        if (hop["from"], hop["to"]) == ("uncached", "reference"):
            seconds["uncached"] = seconds["reference"] * hop["speedup"]["ratio"]
    return seconds


def _asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """What makes two runs' responses take equally long, the decoder apart."""
    return {
        f"{group}.{key}": value
        for group in ALIKE
        for key, value in config[group].items()
        if f"{group}.{key}" not in NOT_ASKED
    }


def _same_device(run: PlannedRun, other: StoredTimes, device_name: str | None) -> bool:
    if device_name is None:
        return run.config["runtime"]["device"] in ("auto", other.config["runtime"]["device"])
    return other.device_name == device_name


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
