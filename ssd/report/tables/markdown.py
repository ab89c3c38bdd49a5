"""A table as Markdown."""

from __future__ import annotations

import re

from ssd.report.tables.table import Cell, Table


def markdown(table: Table) -> str:
    """A heading, the caption, and one pipe table per section."""
    lines = [f"## {escape(table.title)}", "", escape(table.caption), ""]
    ruler = ["---"] * table.words + ["---:"] * (len(table.heads) - table.words)
    for section in table.sections:
        lines += [f"**{escape(section.title)}**", ""] if section.title else []
        rows = [[escape(head) for head in table.heads], ruler, *([_cell(cell) for cell in row] for row in section.rows)]
        lines += [*(f"| {' | '.join(row)} |" for row in rows), ""]
    lines += [f"* {escape(note)}" for note in table.notes]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return re.sub(r"([\\`*_|<>&$\[\]])", r"\\\1", " ".join(text.split()))


def _cell(cell: Cell) -> str:
    text = f"**{escape(cell.text)}**" if cell.bold else escape(cell.text)
    return text + (f"<sup>{escape(cell.raised)}</sup>" if cell.marks else "")
