"""A table: stored values, and the texts that show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import pandas as pd

from ssd.report.groups import Group, marks_of, notes_of

Row: TypeAlias = pd.Series
"""A line of a table: mostly a run."""
Best: TypeAlias = Callable[[pd.DataFrame], pd.Series]
"""Function from rows to whether each of them is the best."""
LOSSY, BROKEN, AS_PUBLISHED = "†", "‡", "§"
MARKS = {
    LOSSY: "does not claim to be lossless",
    BROKEN: "claims to be lossless, but rounding does not explain how it differs",
    AS_PUBLISHED: "with the forwards that the published code spends on full blocks; times are as measured here",
}


class Cell(NamedTuple):
    """The text of a cell; marks: raised behind it, each explained below the table."""

    text: str
    bold: bool = False
    marks: tuple[str, ...] = ()

    @property
    def raised(self) -> str:
        return ",".join(self.marks)


@dataclass(frozen=True)
class Column:
    """keys: the columns of the frame that the text is made of, as in the CSV.

    best: which rows of a group are its best, if there is one; marks: what is raised behind the text.
    """

    head: str
    keys: tuple[str, ...]
    text: Callable[[Row], str]
    best: Best | None = None
    marks: Callable[[Row], tuple[str, ...]] | None = None


class Section(NamedTuple):
    """Rows that may be compared with each other, under one title."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table for the writers of ssd.report.tables. The first `words` columns are texts, the others numbers."""

    name: str
    title: str
    caption: str
    heads: tuple[str, ...]
    sections: tuple[Section, ...]
    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    words: int = 1


def make_table(
    name: str,
    title: str,
    caption: str,
    columns: Iterable[Column],
    parts: Iterable[tuple[str, pd.DataFrame]],
    marks: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
    words: int = 1,
) -> Table | None:
    """Return the table of these parts (title, rows), each a section; None without rows. marks: their meanings."""
    columns, parts = tuple(columns), [(title, rows) for title, rows in parts if len(rows)]
    if not parts:
        return None
    keys = list(dict.fromkeys(key for column in columns for key in column.keys))
    frames = [rows.reindex(columns=keys).assign(group=title)[["group", *keys]] for title, rows in parts]
    sections = tuple(Section(title, _cells(columns, rows)) for title, rows in parts)
    used = {mark for section in sections for row in section.rows for cell in row for mark in cell.marks}
    told = [f"{mark} {meaning}" for mark, meaning in {**MARKS, **(marks or {})}.items() if mark in used]
    heads = tuple(column.head for column in columns)
    return Table(name, title, caption, heads, sections, pd.concat(frames, ignore_index=True), (*told, *notes), words)


def group_table(
    name: str,
    title: str,
    caption: str,
    columns: Iterable[Column],
    groups: Sequence[Group],
    parts: Iterable[tuple[str, pd.DataFrame]] | None = None,
    words: int = 1,
) -> Table | None:
    """Return the table of these groups, a section each, with their notes; parts: other sections of the same runs."""
    sections = [(group.title, group.rows) for group in groups] if parts is None else parts
    return make_table(name, title, caption, columns, sections, marks_of(groups), notes_of(groups), words)


def _cells(columns: tuple[Column, ...], rows: pd.DataFrame) -> tuple[tuple[Cell, ...], ...]:
    best = [column.best(rows) if column.best else pd.Series(False, index=rows.index) for column in columns]
    return tuple(
        tuple(
            Cell(column.text(row), bool(bold.iloc[place]), column.marks(row) if column.marks else ())
            for column, bold in zip(columns, best, strict=True)
        )
        for place, (_, row) in enumerate(rows.iterrows())
    )
