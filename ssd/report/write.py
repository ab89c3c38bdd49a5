"""The files of a report: figures, tables, and the page with all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import product
from pathlib import Path

from ssd.report.figures import FIGURES
from ssd.report.figures.entry import Drawn
from ssd.report.page import page
from ssd.report.results import Results
from ssd.report.tables import catalogue
from ssd.report.tables.latex import escape

CAPTIONS = "captions.tex"


def needs() -> dict[str, str]:
    """Return the runs that each figure and table needs, by its name; some names are of both."""
    figures = {figure.name: figure.needs for figure in FIGURES}
    return figures | {name: table.needs for name, table in catalogue.TABLES.items()}


def write_report(results: Results, out: Path, only: Collection[str] = (), bare: bool = False) -> list[Path]:
    """Write figures/, tables/ and index.html into `out`; return the files.

    Figures and tables of an earlier report that this one lacks are removed, unless `only` is given.
    only: names of figures and tables to write, without the page; bare: the text below figures is in captions.tex alone.
    Raises OSError if `out` cannot be written to.
    """
    files, shown = [], []
    for figure in FIGURES:
        if only and figure.name not in only:
            continue
        drawn = figure.write(results, out / "figures", bare)
        files += drawn.files
        shown += [drawn] if drawn.files else []
    if bare and shown:
        files.append(out / "figures" / CAPTIONS)
        files[-1].write_text(captions(shown), encoding="utf-8")
    results.forwards()  # a table lists the traces that cannot be read
    tables = [table.make(results) for name, table in catalogue.TABLES.items() if not only or name in only]
    made = [table for table in tables if table is not None]
    files += [file for table in made for file in catalogue.write(table, out / "tables")]
    if not only:
        out.mkdir(parents=True, exist_ok=True)
        files.append(out / "index.html")
        files[-1].write_text(page(results, shown, made), encoding="utf-8")
        for file in set(_all_files(out)).difference(files):
            file.unlink(missing_ok=True)
    return files


def captions(figures: Iterable[Drawn]) -> str:
    r"""Return a LaTeX file with a command for each figure's caption: \captionTreeSpeedup for tree-speedup."""
    lines = (
        rf"\newcommand{{\caption{figure.name.title().replace('-', '')}}}"
        rf"{{\textbf{{{escape(figure.title)}.}} {escape(figure.caption)} {escape(figure.small_print)}}}"
        for figure in figures
    )
    return "".join(f"{line}\n" for line in lines)


def _all_files(out: Path) -> Iterator[Path]:
    """Return every file of a figure or table that a report can write, those of further pages if they are there."""
    yield out / "figures" / CAPTIONS
    for figure, columns, kind in product(FIGURES, (1, 2), ("pdf", "png")):
        yield out / "figures" / f"{figure.name}-{columns}.{kind}"
        yield from (out / "figures").glob(f"{figure.name}-{columns}-page*.{kind}")
    for table, kind in product(catalogue.TABLES, ("csv", "md", "tex")):
        yield out / "tables" / f"{table}.{kind}"
