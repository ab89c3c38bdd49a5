"""The runs of a grid as they will be, and what of them is stored already. Made before any weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssd.config.plan import Plan
from ssd.report.console.grid_table import Run, labels
from ssd.results.store import run_id


@dataclass(frozen=True)
class PlannedRun:
    """One run: what it is made of, how many responses it has, and how many of them are stored."""

    run_id: str
    results_dir: Path
    config: Mapping[str, Any]
    responses: int
    stored: int
    is_done: bool

    @classmethod
    def of(cls, plan: Plan) -> PlannedRun:
        folder, anew = folder_of(plan.config, plan.results_dir), plan.config["overwrite"]
        return cls(
            run_id(plan.config),
            plan.results_dir,
            plan.config,
            len(plan.documents) * plan.runtime.repeats,
            0 if anew else len(stored_lines(folder)),
            (folder / "done.json").is_file() and not anew,
        )

    @property
    def folder(self) -> Path:
        return folder_of(self.config, self.results_dir)

    @property
    def left(self) -> int:
        """Responses that are still to be measured."""
        return 0 if self.is_done else max(0, self.responses - self.stored)


def folder_of(config: Mapping[str, Any], results_dir: Path) -> Path:
    """Where a run is stored; where it is made elsewhere, its device may be known from nothing but that."""
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
    files = [folder / name for name in ("samples.jsonl", "responses.jsonl") if (folder / name).is_file()]
    contents = [file.read_bytes().splitlines(keepends=True) for file in files]
    return max(([line for line in lines if line.endswith(b"\n")] for lines in contents), key=len, default=[])


@dataclass
class Grid:
    """All runs of a sweep, each once, and which of them every job of the sweep is (None: it cannot be planned)."""

    runs: list[PlannedRun]
    jobs: list[int | None]
    refused: list[tuple[str, str]]
    """The words of each job that cannot be planned, and why."""
    estimates_s: list[float | None] = field(default_factory=list)
    """Seconds that each run will take, as far as can be told."""
    changes: list[list[str]] = field(default_factory=list)
    """Of each finished run that was measured under other circumstances than those of now, how they differ."""

    def names(self) -> list[str]:
        """Every run by its decoder, the options in which it differs from others, and model and task if there are
        several."""
        described = [Run(run.config, {group: run.config[group]["name"] for group in GROUPS}) for run in self.runs]
        several = [len({run.summary[group] for run in described}) > 1 for group in GROUPS[1:]]
        return [
            " ".join((label, *(run.summary[group] for group, show in zip(GROUPS[1:], several, strict=True) if show)))
            for run, label in zip(described, labels(described), strict=True)
        ]


DEVICES = ("cuda", "cpu")
"""What `runtime.device=auto` may stand for."""
GROUPS = ("decoder", "model", "task")
