"""A figure of a report: drawn in two widths, on as many pages as its groups need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

from ssd.report.figures.layout import print_below
from ssd.report.figures.pages import pages
from ssd.report.figures.style import PAGE_INCHES, WIDTH_INCHES, Columns, styled

if TYPE_CHECKING:
    from ssd.report import Results

DOTS_PER_INCH = 200


class Drawn(NamedTuple):
    """The files of a figure, and the text below it; both are empty if there is nothing to draw."""

    files: list[Path]
    small_print: str


@dataclass(frozen=True)
class Entry:
    """A figure by the name of its files; `make` draws it, or returns None if nothing is stored to draw it from."""

    name: str
    title: str
    caption: str
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
        return Drawn(files, " ".join(texts))

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
