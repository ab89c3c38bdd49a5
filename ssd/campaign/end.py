"""The end of a grid: the table of its finished runs, and the list of the others. Any machine may have made them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from ssd.campaign.planned_run import Grid
from ssd.report.console.grid_table import Run, print_comparison, print_warnings
from ssd.results.atomic_io import is_locked
from ssd.results.last_grid import keep_grid
from ssd.results.reader import read_environment, read_failure, read_summary


def end(grid: Grid, messages: Mapping[int, str]) -> bool:
    """Print the table, the command for the report, and the list; return whether every run of the grid is done.

    messages: errors of this process's runs by number, for runs without error.json.
    """
    done: list[Run] = []
    failures = grid.refusals()
    for number, (run, name) in enumerate(zip(grid.runs, grid.names(), strict=True)):
        folder = run.folder
        if not (folder / "done.json").is_file():
            failures.append((name, _reason(folder, messages.get(number))))
            continue
        try:
            summary, environment = read_summary(folder), read_environment(folder)
        except ValueError as error:
            failures.append((name, str(error)))
        else:
            done.append(Run(run.config, cast(Mapping[str, object], summary), cast(Mapping[str, object], environment)))
    if done:
        print_comparison(done)
        print_warnings(done)
        keep_grid([run.folder for run in grid.runs])  # runs of other machines have chosen their folders now
        print(f"figures and tables: ssd-bench report {shlex.quote(str(grid.runs[0].folder.parent))} --last-grid")
    if failures:
        sys.stdout.flush()
        count = len(grid.runs) + len(grid.refused)
        print(f"{count - len(done)} of {count} runs are not done:", file=sys.stderr)
        for name, reason in failures:
            print(f"  {name}: {reason}", file=sys.stderr)
    return not failures


def _reason(folder: Path, message: str | None) -> str:
    """Return the first line of a run's error and the file with its traceback, or another reason."""
    file = folder / "error.json"
    if file.is_file():
        return f"{read_failure(folder)['error'].partition(chr(10))[0]} ({file})"
    if message:
        return message
    if folder.is_dir() and is_locked(folder):
        return f"another process is measuring it ({folder})"
    return f"it was not finished, and left no error ({folder}); the same line goes on with it"
