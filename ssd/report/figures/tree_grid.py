"""Heat maps over depth and width: of speedup, and of saved forwards."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from ssd.report.figures.grids import grids
from ssd.report.figures.layout import canvas, colour_bar, head, head_inches, room, small_print, wrap
from ssd.report.figures.selection import small_print_of
from ssd.report.figures.style import SMALL, WIDTH_INCHES, Columns
from ssd.report.results import Results

COLOURS = "PuOr"
CELL_INCHES = 0.22
"""The height of a cell, which is about twice as wide."""


def draw_speedup(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without two timed runs that differ in depth and width only."""
    return _draw(results, columns, "speedup.ratio", "speedup (times as fast)")


def draw_forwards(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without two runs that differ in depth and width only."""
    return _draw(results, columns, "nfe.ratio", "forwards saved (times fewer)")


def _draw(results: Results, columns: Columns, value: str, meaning: str) -> Figure | None:
    found = results.groups
    drawn = [(group, grid) for group in found for grid in grids(group, value)]
    shown = [grid for _, grid in drawn]
    if not shown:
        return None
    across = 2 * CELL_INCHES * max(grid.cells.shape[1] for grid in shown) + 0.7
    fitting = int(WIDTH_INCHES[columns] / max(across, 1.6))
    per_row = max(1, min(fitting, len(shown) + 1))  # one more than few, whose cells would be needlessly wide
    lots = [shown[start : start + per_row] for start in range(0, len(shown), per_row)]
    titles = [[wrap(grid.title, room(columns, per_row)) for grid in lot] for lot in lots]
    heights = [
        max(len(grid.cells) for grid in lot) * CELL_INCHES + 0.5 + head_inches(heads)
        for lot, heads in zip(lots, titles, strict=True)
    ]
    figure = canvas(columns, sum(heights))
    axes = figure.subplots(len(lots), per_row, squeeze=False, height_ratios=heights)
    values = np.concatenate([grid.cells.to_numpy(dtype=float).ravel() for grid in shown])
    low, high = min(float(np.nanmin(values)), 0.9), max(float(np.nanmax(values)), 1.1)
    norm = TwoSlopeNorm(1.0, low, high)
    for panels, lot, heads in zip(axes, lots, titles, strict=True):
        for unused in panels[len(lot) :]:
            unused.set_visible(False)
        for panel, grid, title in zip(panels, lot, heads, strict=False):
            _heat_map(panel, grid.cells, norm)
            head(panel, title)
        panels[0].set_ylabel("depth")
    bar = colour_bar(figure, norm, COLOURS, list(axes.flat), meaning)
    bar.ax.set_xscale("linear")
    bar.ax.axvline(1, color="black", linewidth=1)
    bar.ax.xaxis.set_major_formatter("{x:.2f}")
    far = [end for end in (low, high) if abs(end - 1) > 0.25 * (high - low)]
    bar.set_ticks(sorted([1.0, *far]))
    chain = "Width 1: a chain." if any(grid.has_chain for grid in shown) else ""
    remarks = small_print_of(group for group, _ in drawn)
    small_print(figure, "n: prompts; blank: not run.", chain, *remarks)
    return figure


def _heat_map(axes: Axes, cells: pd.DataFrame, norm: TwoSlopeNorm) -> None:
    axes.pcolormesh(cells.to_numpy(), norm=norm, cmap=COLOURS, edgecolors="white", linewidth=0.8)
    for row, line in enumerate(cells.to_numpy()):
        for place, value in enumerate(line):
            if pd.notna(value):
                strong = abs(norm(value) - 0.5) > 0.3
                colour = "white" if strong else "black"
                axes.text(
                    place + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", fontsize=SMALL, color=colour
                )
    axes.set_xticks([place + 0.5 for place in range(cells.shape[1])], [f"{width:.0f}" for width in cells.columns])
    axes.set_yticks([place + 0.5 for place in range(cells.shape[0])], [str(depth) for depth in cells.index])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()
    axes.set_xlabel("width")
