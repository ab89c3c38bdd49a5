"""Horizontal bars: a panel per group, a row per run. Panels beside each other share their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd.report.figures.layout import canvas, head, head_inches, legend, small_print, wrap
from ssd.report.figures.selection import extremes, small_print_of
from ssd.report.figures.style import SMALL, WIDTH_INCHES, Columns
from ssd.report.groups import Group, Run

LABEL_INCHES = 1.1
ROW_INCHES, FRAME_INCHES = 0.27, 0.5
LINE_ROWS = 0.42
"""Height of a line of a name, in rows."""


def rows_of_bars(
    found: Sequence[Group],
    columns: Columns,
    bars: Callable[[Axes, Group, Run, float], None],
    across: str,
    keys: Sequence[Any],
    told: str,
) -> Figure:
    """Return the figure of these groups. bars: function that draws a run at its place on the y axis.

    across: label of the x axis; keys: the legend's; told: small print.
    """
    per_row = min(len(found), 2 if columns == 1 else 3)
    lots = [found[start : start + per_row] for start in range(0, len(found), per_row)]
    places = [_places(lot) for lot in lots]
    width_inches = (WIDTH_INCHES[columns] - LABEL_INCHES) / per_row - 0.15
    titles = [[wrap(group.panel_title, width_inches) for group in lot] for lot in lots]
    heights = [
        ROW_INCHES * (max(names.values()) + 1) + FRAME_INCHES + head_inches(heads)
        for names, heads in zip(places, titles, strict=True)
    ]
    figure = canvas(columns, sum(heights))
    grid = figure.subplots(len(lots), per_row, squeeze=False, sharex=True, height_ratios=heights)
    for panels, lot, names, heads in zip(grid, lots, places, titles, strict=True):
        for unused in panels[len(lot) :]:
            unused.remove()
        for panel, group, title in zip(panels, lot, heads, strict=False):
            for run in extremes(group):
                bars(panel, group, run, names[_name(run)])
            panel.set_yticks(list(names.values()), list(names), linespacing=1.0)
            panel.set_ylim(max(names.values()) + 0.6, min(names.values()) - 0.6)
            panel.tick_params(axis="y", length=0, labelleft=panel is panels[0])
            panel.tick_params(axis="x", labelbottom=True)
            panel.grid(axis="x")
            panel.set_xlabel(across, fontsize=SMALL)
            head(panel, title)
    legend(figure, keys)
    some_left_out = any(run.shown_for for group in found for run in extremes(group))
    settings = "Of decoders with many settings, the two extremes are shown." if some_left_out else ""
    small_print(figure, told, settings, *small_print_of(found))
    return figure


def _places(lot: Sequence[Group]) -> dict[str, float]:
    """Return the place of each name on the y axis, from top to bottom, for panels beside each other."""
    runs = [run for group in lot for run in extremes(group)]
    decoders = dict.fromkeys(run.decoder for run in runs)
    names = dict.fromkeys(_name(run) for decoder in decoders for run in runs if run.decoder == decoder)
    ends = np.cumsum([max(1.0, LINE_ROWS * (name.count("\n") + 1.5)) for name in names])
    middles = (ends + np.array([0, *ends[:-1]])) / 2
    return dict(zip(names, middles.tolist(), strict=True))


def _name(run: Run) -> str:
    return wrap(run.name, LABEL_INCHES - 0.1)
