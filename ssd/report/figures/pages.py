"""The parts of results that a figure shows on pages of their own."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from ssd.report.figures.grids import DEPTH, WIDTH
from ssd.report.labels import NEVER_TOLD

if TYPE_CHECKING:
    from ssd.report import Results


def halves(results: Results) -> list[Results]:
    """Return two parts with half of the groups each, with titles and labels as they are.

    One group is divided by decoders, or else by the values of an option. Returns nothing for runs that differ in depth
    and width alone: one map shows them.
    """
    lots = _lots(results)
    middle = ceil(len(lots) / 2)
    parts = (lots[:middle], lots[middle:])
    return [results.page({run for lot in part for run in lot}) for part in parts] if len(lots) > 1 else []


def _lots(results: Results) -> list[set[str]]:
    """Return the ids of runs that stay together."""
    if len(results.groups) != 1:
        return [set(group.rows["run_id"]) for group in results.groups]
    rows = results.groups[0].rows
    options = [name for name in map(str, rows) if name.startswith("config.decoder.") and not name.endswith(NEVER_TOLD)]
    for name in ("decoder", *(name for name in options if name not in (DEPTH, WIDTH))):
        lots = [set(lot["run_id"]) for _, lot in rows.groupby(rows[name].map(str), sort=False)]
        if len(lots) > 1:
            return lots
    return []
