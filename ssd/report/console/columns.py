"""Tables of a row per run, and their console. What does not fit follows in a further table of the same rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDTH = 132
"""Characters of a line that is no terminal's."""
BETWEEN = 2
"""Characters between two columns."""


class Column(NamedTuple):
    """A column of texts, and its width in characters."""

    head: str
    cells: Sequence[str]
    width: int
    side: Literal["left", "right"]


def column(head: str, cells: Sequence[str], side: Literal["left", "right"]) -> Column:
    """Return a column as wide as its longest text, or as the longest word of its head."""
    return Column(head, cells, max(map(len, (*head.split(), *cells))), side)


def widths(columns: Sequence[Column]) -> int:
    """Return the width of columns beside each other, with the space behind each."""
    return sum(each.width + BETWEEN for each in columns)


def print_columns(console: Console, title: str, names: Sequence[Column], figures: Sequence[Column]) -> None:
    """Print the names, and beside them as many figures as fit; then the names again with the other figures."""
    for part in _parts(figures, console.width - widths(names)):
        table = Table(title=escape(title) or None, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
        table.padding, table.pad_edge = (0, BETWEEN - 1, 0, 0), False
        for each in (*names, *part):
            table.add_column(each.head, justify=each.side, width=each.width, overflow="fold")
        for row in zip(*(each.cells for each in (*names, *part)), strict=True):
            table.add_row(*map(escape, row))
        console.print(table)
        console.print()
        title = ""


def _parts(columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """Return the columns in order, in parts no wider than this; a part has at least one column."""
    part: list[Column] = []
    left = width
    for each in columns:
        if part and each.width > left:
            yield part
            part, left = [], width
        part.append(each)
        left -= each.width + BETWEEN
    yield part


def wide_console() -> Console:
    """Return a console as wide as the terminal or as COLUMNS; elsewhere, as in a file, of `WIDTH` characters."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    return console
