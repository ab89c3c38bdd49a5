"""Rows of panels: a row for each group, a panel for the fastest run of each decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd.report.figures.layout import canvas, head, head_inches, room, small_print, wrap
from ssd.report.figures.selection import fastest_by_group, small_print_of
from ssd.report.figures.style import NORMAL, Columns
from ssd.report.groups import Run
from ssd.report.results import Results

HEAD_INCHES = 0.3


def multiples(
    results: Results,
    columns: Columns,
    has: Callable[[Run], bool],
    fill: Callable[[list[Axes], Run], str],
    height_inches: float,
    told: str,
    up: tuple[str, ...],
    ratios: tuple[int, ...] = (1,),
) -> Figure | None:
    """Return the figure with a panel per run; None without runs. has: whether a run is drawn.

    fill: function that draws a run into axes below each other, and returns an addition to the panel's title; ratios:
    heights of these axes; told: small print; up: labels of the y axes.
    """
    lots = fastest_by_group(results.groups, has)
    if not lots:
        return None
    across = min(2 if columns == 1 else 4, max(len(runs) for _, runs in lots))
    heights = [ceil(len(runs) / across) * height_inches + HEAD_INCHES for _, runs in lots]
    for place, (_, runs) in enumerate(lots):
        names = [wrap(f"{run.name}, mean 0.00", room(columns, across)) for run in runs]
        heights[place] += sum(head_inches(names[start : start + across]) for start in range(0, len(names), across))
    figure = canvas(columns, sum(heights))
    parts = figure.subfigures(len(lots), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (group, runs) in zip(parts, lots, strict=True):
        part.suptitle(wrap(group.panel_title, room(columns, 1, 0.2), NORMAL), x=0.01, ha="left", fontsize=NORMAL)
        for place, (axes, run) in enumerate(zip(_stacks(part, len(runs), across, ratios), runs, strict=True)):
            added = fill(axes, run)
            for panel, label in zip(axes, up if place % across == 0 else (), strict=False):
                panel.set_ylabel(label)
            head(axes[0], wrap(run.name + added, room(columns, across)))
    shown = small_print_of((group for group, _ in lots), (run for _, runs in lots for run in runs))
    small_print(figure, told, "n: prompts.", *shown)
    return figure


def _stacks(part: Figure, count: int, across: int, ratios: tuple[int, ...]) -> Iterator[list[Axes]]:
    """Return `count` stacks of axes, from left to right and row by row."""
    down = ceil(count / across)
    grid = part.subplots(down * len(ratios), across, squeeze=False, height_ratios=[*ratios] * down)
    stacks = grid.reshape(down, len(ratios), across).transpose(0, 2, 1).reshape(-1, len(ratios))
    for unused in np.ravel(stacks[count:]):
        unused.set_visible(False)
    yield from (list(stack) for stack in stacks[:count])
