"""Figures, tables and a page from stored results. Nothing is measured.

ssd-bench report [results] [--out report] [--only NAME ...] [--frames FOLDER]

The first argument is a results folder, a single run's folder, or a folder that --frames wrote.
Writes figures/<name>-1.pdf and .png for one column of a paper and <name>-2 for two, tables/<name>.csv, .md and .tex,
and index.html, which needs nothing beside it. Exit status: 1 if there is nothing to report, else 0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ssd.commands.results_dir import RESULTS, require_results
from ssd.paths import RUN
from ssd.report import Results, load
from ssd.report.tables.left_out import reasons
from ssd.report.write import names, write_report


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report; returns the exit status."""
    options = parse(arguments)
    try:
        require_results(options.results)
        results = load(options.results)
        check(results)
        files = results.to_parquet(options.frames) if options.frames else []
        files += write_report(results, options.out, options.only)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, reason in reasons(results):
        print(f"left out: {name}: {reason}", file=sys.stderr)
    print(f"{len(results.done)} finished runs, {len(results.samples)} samples")
    for folder, names_of in written(files).items():
        print(f"{folder}: {', '.join(names_of)}")
    return 0


def written(files: Sequence[Path]) -> dict[Path, list[str]]:
    """Return the files written, by folder. Files of one name and several kinds become `speed-1.pdf/png`."""
    kinds: dict[tuple[Path, str], list[str]] = {}
    for file in files:
        kinds.setdefault((file.parent, file.stem), []).append(file.suffix[1:])
    folders: dict[Path, list[str]] = {}
    for (folder, stem), suffixes in kinds.items():
        folders.setdefault(folder, []).append(f"{stem}.{'/'.join(suffixes)}")
    return folders


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="results folder (default: ./results)")
    parser.add_argument("--out", type=Path, default=Path("report"), help="the report's folder (default: report)")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", choices=names(), help="; ".join(names()))
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help="also write the frames there, as Parquet")
    return parser.parse_args(arguments)


def check(results: Results) -> None:
    """Raise ValueError, in one line, if there is nothing to report."""
    runs = results.runs
    if not len(runs) and not results.left_out:
        raise ValueError(f"{results.root} holds no runs; measure one first: {RUN} results_dir={results.root}")
    if not len(runs):
        folder, reason = results.left_out[0]
        raise ValueError(
            f"{results.root}: none of its {len({name for name, _ in results.left_out})} runs can be read; the first is "
            f"{folder}: {reason}"
        )
    if not len(results.done):
        states = ", ".join(f"{count} {state}" for state, count in sorted(runs["status"].value_counts().items()))
        folder, reason = next(reasons(results))
        raise ValueError(
            f"{results.root}: none of its {len(runs)} runs is finished ({states}); the first is {folder}: {reason}"
        )
