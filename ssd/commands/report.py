"""Figures, tables and a page from stored results. Nothing is measured.

ssd-bench report [PLACE ...] [--last-grid] [--where NAME=VALUE ...] [--out report] [--bare] [--only NAME ...]

PLACE is a results folder, a run's folder, a run id under --results, or a folder that --frames wrote.
--where decoder=ssd runtime.limit=50 keeps the runs with these options; depth=4,8 keeps two values.
Writes figures/<name>-1.pdf and .png for one column of a paper and <name>-2 for two, tables/<name>.csv, .md and .tex,
and index.html, which needs nothing beside it. Exit status: 1 if there is nothing to report, or nothing to show in a
figure or table of --only, else 0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ssd.commands.results_dir import RESULTS, require_results
from ssd.paths import RUN
from ssd.report.choice import choose
from ssd.report.count_as_published import count_as_published
from ssd.report.results import Results
from ssd.report.tables.left_out import reasons
from ssd.report.write import needs, write_report


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report; returns the exit status."""
    options = parse(arguments)
    try:
        if not options.places:
            require_results(options.results)
        results = choose(options.places, options.results, options.last_grid, options.where)
        check(results)
        files = results.to_parquet(options.frames) if options.frames else []
        if options.count_as_published:
            results = count_as_published(results)
        files += write_report(results, options.out, options.only, options.bare)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for name, reason in reasons(results):
        print(f"left out: {name}: {reason}", file=sys.stderr)
    stems = {file.stem for file in files}
    missing = [name for name in options.only if not any(stem in (name, f"{name}-1") for stem in stems)]
    for name in missing:
        runs = f"these {len(results.done)} finished runs have" if len(results.done) > 1 else "this finished run has"
        print(f"error: --only {name}: {runs} nothing to show in it; it needs {needs()[name]}", file=sys.stderr)
    print(f"{len(results.done)} finished runs, {len(results.samples)} samples")
    for folder, names_of in written(files).items():
        print(f"{folder}: {', '.join(names_of)}")
    return 1 if missing else 0


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
    parser.add_argument("places", nargs="*", metavar="PLACE", help="folders or run ids (default: --results)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of run ids (default: ./results)")
    parser.add_argument("--last-grid", action="store_true", help="only the runs of the last grid (run.py -m)")
    parser.add_argument("--where", nargs="+", default=(), metavar="NAME=VALUE", help="only runs with these options")
    parser.add_argument("--bare", action="store_true", help="figures without the text below them; captions.tex has it")
    parser.add_argument(
        "--count-as-published", action="store_true", help="count the forwards that Fast-dLLM's published code adds"
    )
    parser.add_argument("--out", type=Path, default=Path("report"), help="the report's folder (default: report)")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", choices=needs(), help="; ".join(needs()))
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
