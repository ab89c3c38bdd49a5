"""The results folder that a command reads: ./results, or the one that --results names."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from ssd.paths import RUN
from ssd.results.reader import find_run

RESULTS = Path("results")
"""Of the current folder."""


def add_results(parser: ArgumentParser) -> None:
    """Add the option --results."""
    parser.add_argument("--results", type=Path, default=RESULTS, help="results folder (default: ./results)")


def require_results(results: Path) -> None:
    """Raise FileNotFoundError, in one line with the remedy, if there is no such folder."""
    if not results.is_dir():
        raise FileNotFoundError(
            f"{results}: there is no such folder in {Path.cwd()}; measure a run first ({RUN} results_dir={results}), "
            "or name another folder"
        )


def stored_run(name: str, results: Path) -> Path:
    """Return a run's folder. name: the folder, or a run id under `results`. Raises FileNotFoundError."""
    if not Path(name).expanduser().is_dir():
        require_results(results)
    return find_run(name, results)
