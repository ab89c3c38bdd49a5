"""The list of a results folder: one row per run, finished or not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from rich.console import Console

from ssd.report.console.columns import BETWEEN, column, print_columns, wide_console, widths
from ssd.report.console.grid_table import speedup_text
from ssd.report.labels import Run, labels
from ssd.report.lines import read_lines
from ssd.results.reader import read_config, read_summary, run_folders, whole_lines, whole_texts

State = Literal["done", "begun", "failed"]
FIGURES = ("prompts", "speedup (95 %)", "identity", "date", "state")
TOLD_ONCE = ("prompts", "state")
"""Figures that stand above the table if all runs have the same."""
MEASURED = ("done.json", "samples.jsonl", "responses.jsonl", "error.json", "config.yaml")
"""Files that change only while a run is measured."""


class Listed(NamedTuple):
    """A run's folder, configuration and state; the summary of an unfinished run has its names and prompts only."""

    folder: Path
    run: Run
    state: State


def print_runs(results_dir: Path) -> None:
    """Print a table of the runs in a folder, as wide as the terminal, and a line for each run that cannot be read.

    Raises FileNotFoundError if there is no such folder.
    """
    if not results_dir.is_dir():
        raise FileNotFoundError(f"{results_dir}: no such folder; expected a results folder, as run.py's results_dir")
    listed, unreadable = [], []
    for folder in run_folders(results_dir):
        try:
            listed.append(read(folder))
        except ValueError as error:
            unreadable.append(str(error))
    console = wide_console()
    title = f"{len(listed)} run{'s' * (len(listed) != 1)} in {results_dir}"
    if listed:
        _print(console, title, listed)
    else:
        console.print(title, markup=False)
    for entry in listed:
        for note in read_lines(entry.folder / "samples.jsonl").notes if entry.state == "done" else ():
            console.print(f"{entry.folder.name}: {note}", markup=False, soft_wrap=True)
    for reason in unreadable:
        console.print(f"cannot be listed: {reason}", markup=False, soft_wrap=True)


def _print(console: Console, title: str, listed: Sequence[Listed]) -> None:
    """Print the table. Run ids stay whole, because people copy them; long labels take several lines."""
    cells = zip(*map(_cells, listed), strict=True)
    figures = [column(head, texts, "right") for head, texts in zip(FIGURES, cells, strict=True)]
    same = [each for each in figures if each.head in TOLD_ONCE and len(listed) > 1 and len(set(each.cells)) == 1]
    title = "; ".join((title, *(f"{each.head}: {each.cells[0]}" for each in same)))
    figures = [each for each in figures if each not in same]
    name = column("run", [entry.folder.name for entry in listed], "left")
    label = column("decoder, options", list(labels([entry.run for entry in listed])), "left")
    room = console.width - widths([name])
    least = max(len(word) for text in (label.head, *label.cells) for word in text.split())
    width = min(room, max(least, min(label.width, room - widths(figures) - BETWEEN)))
    print_columns(console, title, [name], [label._replace(width=width), *figures])


def read(folder: Path) -> Listed:
    """Return a run for the list. Raises ValueError if a file of it cannot be read."""
    config = read_config(folder)
    options = {group: values for group, values in config.items() if isinstance(values, Mapping) and group != "tracker"}
    if (folder / "done.json").is_file():
        return Listed(folder, Run(options, cast(Mapping[str, Any], read_summary(folder))), "done")
    names = {group: config[group]["name"] for group in ("decoder", "model", "task")}
    audited = {line["index"] for line in whole_lines(folder / "samples.jsonl")}
    decoded = {json.loads(line)["index"] for line in whole_texts(folder / "responses.jsonl")}
    state: State = "failed" if (folder / "error.json").is_file() else "begun"
    return Listed(folder, Run(options, {**names, "prompts": len(audited | decoded)}), state)


def _cells(entry: Listed) -> Iterator[str]:
    """Return prompts, speedup, identity, date of the last measurement, and state."""
    summary, is_done = entry.run.summary, entry.state == "done"
    measured = (entry.folder / name for name in MEASURED)  # a trace's page or an audit is written later
    changed_s = max(file.stat().st_mtime for file in measured if file.is_file())
    yield str(summary["prompts"])
    yield speedup_text(summary["speedup"]) if is_done else "-"
    yield f"{summary['identity']['rate']:.1%}" if is_done else "-"
    yield datetime.fromtimestamp(changed_s).strftime("%Y-%m-%d %H:%M")
    yield entry.state
