"""The runs of a grid, and the number of responses that each has stored. No weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssd.config.plan import Plan
from ssd.report.console.grid_table import Run, labels
from ssd.results.reader import whole_texts
from ssd.results.run_id import run_id
from ssd.run.progress import duration

DEVICES = ("cuda", "cpu")
"""Devices that `runtime.device=auto` may stand for."""
GROUPS = ("decoder", "model", "task")


@dataclass(frozen=True)
class PlannedRun:
    """One run: its configuration, its number of responses, and the number of those that are stored."""

    run_id: str
    results_dir: Path
    config: Mapping[str, Any]
    responses: int
    stored: int
    is_done: bool

    @classmethod
    def of(cls, plan: Plan) -> PlannedRun:
        folder, responses = folder_of(plan.config, plan.results_dir), len(plan.documents) * plan.runtime.repeats
        stored = 0 if plan.config["overwrite"] else len(stored_lines(folder))
        is_done = (folder / "done.json").is_file() and stored >= responses  # a deleted line is measured again
        return cls(run_id(plan.config), plan.results_dir, plan.config, responses, stored, is_done)

    @property
    def folder(self) -> Path:
        return folder_of(self.config, self.results_dir)

    @property
    def left(self) -> int:
        """The number of responses that are not measured yet."""
        return 0 if self.is_done else max(0, self.responses - self.stored)


def folder_of(config: Mapping[str, Any], results_dir: Path) -> Path:
    """Return the folder of a run. A run on another machine has `auto` as its device: any device's folder will do."""
    runtime = config["runtime"]
    devices = DEVICES if runtime["device"] == "auto" else (runtime["device"],)
    folders = [results_dir / run_id({**config, "runtime": runtime | {"device": device}}) for device in devices]
    for mark in ("done.json", "error.json", "samples.jsonl", "responses.jsonl"):
        for folder in folders:
            if (folder / mark).is_file():
                return folder
    return folders[0]


def stored_lines(folder: Path) -> list[bytes]:
    """Return a run's timed responses: the whole lines of responses.jsonl, or of samples.jsonl if that has more."""
    return max((whole_texts(folder / name) for name in ("samples.jsonl", "responses.jsonl")), key=len)


@dataclass
class Grid:
    """The runs of a sweep. Several jobs of the sweep may be one run, in other words."""

    runs: list[PlannedRun]
    jobs: list[int | None]
    """Each job's place in `runs`; None for a job that cannot be planned."""
    refused: list[tuple[str, str]]
    """Words and error message of each job that cannot be planned."""
    estimates_s: list[float | None] = field(default_factory=list)
    """Estimated seconds of each run; None without an estimate."""
    changes: list[list[str]] = field(default_factory=list)
    """The changed circumstances of each finished run that has some."""

    def refusals(self) -> list[tuple[str, str]]:
        """Return each reason of `refused` once, with the words of the jobs that it concerns: the first, and a count."""
        words: dict[str, list[str]] = {}
        for own, reason in self.refused:
            words.setdefault(reason, []).append(own)
        return [
            (own[0] if len(own) == 1 else f"{own[0]} and {len(own) - 1} more", reason) for reason, own in words.items()
        ]

    def names(self) -> list[str]:
        """Return each run's decoder with the options that differ. Model and task follow if there are several."""
        described = [Run(run.config, {group: run.config[group]["name"] for group in GROUPS}) for run in self.runs]
        several = [len({run.summary[group] for run in described}) > 1 for group in GROUPS[1:]]
        return [
            " ".join((label, *(run.summary[group] for group, show in zip(GROUPS[1:], several, strict=True) if show)))
            for run, label in zip(described, labels(described), strict=True)
        ]


def line_before(grid: Grid, number: int, measured_s: Mapping[int, float], in_turn: bool) -> str:
    """Return `run 3 of 15: ssd depth=4 (about 9 minutes left)`.

    measured_s: seconds of finished runs, by number. in_turn: runs follow one another, so their times add up.
    """
    run = grid.runs[number]
    what = f"run {number + 1} of {len(grid.runs)}: {grid.names()[number]}"
    if run.is_done:
        return f"{what}: done already"
    left_s = seconds_left(grid, number, measured_s) if in_turn else None
    return what if left_s is None else f"{what} ({duration(left_s)} left)"


def seconds_left(grid: Grid, number: int, measured_s: Mapping[int, float]) -> float | None:
    """Return seconds for run `number` and later ones. Estimates are scaled by the times of finished runs."""
    coming = [place for place in range(number, len(grid.runs)) if grid.runs[place].left]
    estimates = [second for place in coming if (second := grid.estimates_s[place]) is not None]
    if len(estimates) < len(coming):  # without estimates, measured runs give a mean
        return sum(measured_s.values()) / len(measured_s) * len(coming) if measured_s else None
    foreseen = sum(grid.estimates_s[place] or 0.0 for place in measured_s)
    scale = sum(measured_s.values()) / foreseen if foreseen else 1.0
    return sum(estimates) * scale
