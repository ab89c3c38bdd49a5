"""The runs of a report: those of folders, of the last grid, or with certain options."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from ssd.report.labels import value_text
from ssd.report.results import Results, load
from ssd.results.last_grid import last_grid
from ssd.results.reader import find_run


def choose(places: Sequence[str], results_dir: Path, only_last_grid: bool, where: Sequence[str]) -> Results:
    """Return the results of these places, without runs that are not asked for.

    places: results folders, runs' folders, run ids under `results_dir`, folders of frames; none: `results_dir`.
    where: words as `decoder=ssd`, `runtime.limit=50` or `depth=4,8`; a run has one of the values of every word.
    Raises ValueError or FileNotFoundError, in one line.
    """
    folders = [_folder(place, results_dir) for place in places] or [results_dir]
    loaded = [load(folder) for folder in folders]
    found = loaded[0] if len(loaded) == 1 else Results.together(loaded)
    if only_last_grid:
        found = found.only({name for folder in folders for name in last_grid(folder)})
    for word in where:
        found = found.only(set(_having(found.runs, word)))
    return found


def _folder(place: str, results_dir: Path) -> Path:
    folder = Path(place).expanduser()
    if folder.is_dir():
        return folder
    try:
        return find_run(place, results_dir)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{place}: no such folder, and no run id under {results_dir} (--results)") from error


def _having(runs: pd.DataFrame, word: str) -> pd.Series:
    """Return the ids of the runs that have the option's value. Raises ValueError if no run has it."""
    name, is_pair, wanted = word.partition("=")
    if not is_pair:
        raise ValueError(f"--where {word}: expected NAME=VALUE, as decoder=ssd or runtime.limit=50")
    values = runs[_column(runs, name)].map(_text)
    having = values.isin([_text(value) for value in wanted.split(",")])
    if not having.any():
        raise ValueError(f"--where {word}: no run has this value; the runs have {', '.join(sorted(set(values)))}")
    return runs["run_id"][having]


def _column(runs: pd.DataFrame, name: str) -> str:
    """Return the column of an option, named as on the command line; `depth` stands for `decoder.depth`."""
    for column in (name, f"config.{name}", f"config.decoder.{name}"):
        if column in runs:
            return column
    options = [column.removeprefix("config.") for column in map(str, runs) if column.startswith("config.")]
    near = get_close_matches(name, options, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; expected an option of the command line, as runtime.limit"
    raise ValueError(f"--where {name}: no run has this option{hint}")


def _text(value: Any) -> str:
    """Return a value in one spelling: 50 and 50.0 are equal, and so are a missing value and null."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if isinstance(value, float):
        return "null" if pd.isna(value) else f"{value:g}"
    return f"{value:g}" if isinstance(value, int) and not isinstance(value, bool) else value_text(value)
