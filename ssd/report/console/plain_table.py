"""A table of a report on the console."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Drawn

from ssd.report.tables.table import Table


def print_table(console: Console, table: Table) -> None:
    """Print the title, the caption, the sections and the notes."""
    console.print(f"{table.title}\n{table.caption}\n", markup=False)
    for section in table.sections:
        drawn = Drawn(title=escape(section.title) or None, title_justify="left", title_style="")
        for place, head in enumerate(table.heads):
            drawn.add_column(escape(head), justify="left" if place < table.words else "right", overflow="fold")
        for row in section.rows:
            drawn.add_row(*(escape(cell.text + cell.raised) for cell in row))
        console.print(drawn)
        console.print()
    for note in table.notes:
        console.print(f"{note}\n", markup=False)
