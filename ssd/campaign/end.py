"""After a grid: the table of what is stored, and the list of what is not done. Works wherever the runs were made."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from ssd.campaign.planned_run import Grid
from ssd.report.console.grid_table import Run, print_comparison, print_warnings
from ssd.results.atomic_io import is_locked
from ssd.results.last_grid import keep_grid


def end(grid: Grid, told: Mapping[int, str]) -> bool:
    """Print both, and the command that draws the grid's report; returns whether every run of the grid is done.

    told: what runs of this process said of their failure, for those that have left no error.json.
    """
    folders = [run.folder for run in grid.runs]
    done = [(folder, run) for folder, run in zip(folders, grid.runs, strict=True) if (folder / "done.json").is_file()]
    if done:
        measured = [Run(run.config, *map(_read, _files(folder))) for folder, run in done]
        print_comparison(measured)
        print_warnings(measured)
        keep_grid(folders)  # runs of other machines have chosen their folders now
        print(f"figures and tables: ssd-bench report {shlex.quote(str(done[0][0].parent))} --last-grid")
    failures = list(grid.refused)
    for number, (folder, name) in enumerate(zip(folders, grid.names(), strict=True)):
        if not (folder / "done.json").is_file():
            failures.append((name, _why(folder, told.get(number))))
    if failures:
        sys.stdout.flush()
        print(f"{len(failures)} of {len(grid.runs) + len(grid.refused)} runs are not done:", file=sys.stderr)
        for name, reason in failures:
            print(f"  {name}: {reason}", file=sys.stderr)
    return not failures


def _files(folder: Path) -> tuple[Path, Path]:
    return folder / "summary.json", folder / "environment.json"


def _why(folder: Path, told: str | None) -> str:
    """The first line of a run's error and where its traceback is, or what else kept it from being done."""
    error = folder / "error.json"
    if error.is_file():
        return f"{_read(error)['error'].partition(chr(10))[0]} ({error})"
    if told:
        return told
    if folder.is_dir() and is_locked(folder):
        return f"another process is measuring it ({folder})"
    return f"it was not finished, and left no error ({folder}); the same line goes on with it"


def _read(file: Path) -> dict:
    return json.loads(file.read_text())
