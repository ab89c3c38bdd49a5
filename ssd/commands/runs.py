"""`ssd-bench runs`: list the runs of a results folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ssd.commands.results_dir import RESULTS, require_results
from ssd.extras import extra


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line per run; return the exit status. Raises FileNotFoundError without a results folder."""
    parser = argparse.ArgumentParser(description="List runs: id, what varies, prompts, speedup, identity, date, state.")
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="results folder (default: ./results)")
    options = parser.parse_args(arguments)
    require_results(options.results)
    with extra("report"):
        from ssd.report.console.run_list import print_runs
    print_runs(options.results)
    return 0
