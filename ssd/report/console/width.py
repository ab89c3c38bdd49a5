"""The console of tables with a row per run."""

from __future__ import annotations

import os

from rich.console import Console

WIDTH = 132
"""Characters of a line that is no terminal's."""


def wide_console() -> Console:
    """Return a console as wide as the terminal or as COLUMNS; elsewhere, as in a file, of `WIDTH` characters."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    return console
