"""A figure of a report: drawn in two widths, on as many pages as its groups need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from matplotlib.figure import Figure

from ssd.report.figures.grids import DEPTH, WIDTH
from ssd.report.figures.layout import print_below
from ssd.report.figures.style import PAGE_INCHES, WIDTH_INCHES, Columns, styled
from ssd.report.labels import shown_options
from ssd.report.results import Results

DOTS_PER_INCH = 200


@dataclass(frozen=True)
class Drawn:
    """A figure as files, none if there is nothing to draw; a bare figure lacks the small print."""

    name: str
    title: str
    caption: str
    small_print: str
    files: list[Path]
    bare: bool

    def pages(self, columns: Columns) -> list[Path]:
        """Return the pages over this number of columns, as PNG."""
        stem = f"{self.name}-{columns}"
        return [file for file in self.files if file.suffix == ".png" and file.stem.partition("-page")[0] == stem]


@dataclass(frozen=True)
class Entry:
    """A figure by the name of its files; `make` draws it, or returns None if nothing is stored to draw it from.

    needs: the runs to draw it from.
    """

    name: str
    title: str
    caption: str
    needs: str
    make: Callable[[Results, Columns], Figure | None]

    def draw(self, results: Results, columns: Columns = 2, bare: bool = False) -> Figure | None:
        """Return the figure over this number of columns of a paper, in one piece; bare: without the text below it."""
        with styled(results.done["decoder"]):
            figure = self.make(results, columns)
            if figure is not None and not bare:
                print_below(figure)
            return figure

    def pages(self, results: Results, columns: Columns, bare: bool = False) -> Iterator[Figure]:
        """Return the figure in pieces that are no higher than a page, if it has several groups or decoders."""
        with styled(results.done["decoder"]):
            yield from self._pages(results, columns, bare)

    def write(
        self,
        results: Results,
        folder: Path,
        bare: bool = False,
        widths: Sequence[Columns] = tuple(WIDTH_INCHES),
        kinds: Sequence[str] = ("pdf", "png"),
    ) -> Drawn:
        """Write <name>-1 (one column) and <name>-2 (two) as PDF and PNG; further pages are <name>-1-page2 and so on."""
        files: list[Path] = []
        texts: dict[str, None] = {}
        for columns in widths:
            for number, figure in enumerate(self.pages(results, columns, bare), start=1):
                folder.mkdir(parents=True, exist_ok=True)
                texts[str(figure.get_label())] = None
                figure.draw_without_rendering()
                figure.set_layout_engine("none")  # laid out once for both files
                stem = f"{self.name}-{columns}" + (f"-page{number}" if number > 1 else "")
                for kind in kinds:
                    files.append(folder / f"{stem}.{kind}")
                    figure.savefig(files[-1], dpi=DOTS_PER_INCH)
        return Drawn(self.name, self.title, self.caption, " ".join(texts), files, bare)

    def _pages(self, results: Results, columns: Columns, bare: bool) -> Iterator[Figure]:
        figure = self.make(results, columns)
        if figure is None:
            return
        if not bare:
            print_below(figure)
        is_high = figure.get_figheight() > PAGE_INCHES
        # Each page has a legend and small print of its own.
        parts = pages(results, ceil(figure.get_figheight() / (0.8 * PAGE_INCHES))) if is_high else []
        if not parts:
            yield figure
        for part in parts:
            yield from self._pages(part, columns, bare)


def pages(results: Results, count: int) -> list[Results]:
    """Return this many parts with about as many groups each, or fewer parts; titles and labels stay as they are.

    One group is divided by decoders, or else by the values of an option. Returns nothing for runs that differ in depth
    and width alone: one map shows them.
    """
    lots = _lots(results)
    each = ceil(len(lots) / count)
    parts = [lots[start : start + each] for start in range(0, len(lots), each or 1)]
    return [results.page(set().union(*part)) for part in parts] if len(parts) > 1 else []


def _lots(results: Results) -> list[set[str]]:
    """Return the ids of runs that stay together."""
    if len(results.groups) != 1:
        return [set(group.rows["run_id"]) for group in results.groups]
    rows = results.groups[0].rows
    for name in ("decoder", *(name for name in shown_options(rows) if name not in (DEPTH, WIDTH))):
        lots = [set(lot["run_id"]) for _, lot in rows.groupby(rows[name].map(str), sort=False)]
        if len(lots) > 1:
            return lots
    return []
