"""The parts of results that a figure shows on pages of their own."""

from __future__ import annotations

from math import ceil

from ssd.report.figures.grids import DEPTH, WIDTH
from ssd.report.labels import NEVER_TOLD
from ssd.report.results import Results


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
    options = [name for name in map(str, rows) if name.startswith("config.decoder.") and not name.endswith(NEVER_TOLD)]
    for name in ("decoder", *(name for name in options if name not in (DEPTH, WIDTH))):
        lots = [set(lot["run_id"]) for _, lot in rows.groupby(rows[name].map(str), sort=False)]
        if len(lots) > 1:
            return lots
    return []
