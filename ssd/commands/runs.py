"""`ssd-bench runs`: list the runs of a results folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ssd.commands.results_dir import add_results, require_results
from ssd.extras import extra


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per run; return the exit status. Raises FileNotFoundError without a results folder."""
    parser = argparse.ArgumentParser(description="List runs: id, what varies, prompts, speedup, identity, date, state.")
    parser.add_argument("folder", nargs="?", type=Path, metavar="results", help="the same as --results")
    add_results(parser)
    options = parser.parse_args(arguments)
    folder = options.folder or options.results
    require_results(folder)
    with extra("report"):
        from ssd.report.console.run_list import print_runs
    print_runs(folder)
    return 0
