"""Accuracy against forwards: how much accuracy each commit rule gives up for the forwards that it saves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count, islice
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ssd.report.figures.intervals import percents
from ssd.report.figures.layout import decoder_keys, legend, panels, small_print
from ssd.report.figures.selection import small_print_of
from ssd.report.figures.style import GREY, Columns, look
from ssd.report.groups import Group, Run
from ssd.report.results import Results

REFERENCE: dict[str, Any] = {"color": GREY, "linewidth": 0.8, "linestyle": "--", "zorder": 1}
MARKER_POINTS = 4.0
"""Width of a marker that lies upon no other."""
WIDEST_POINTS = 20.0
"""Limit of the widths of markers upon each other."""
SHRINKS = 0.8
"""Each wider marker is nearer to this limit: its distance is this share of the distance of the one before."""
NEAR_OCTAVES, NEAR_PERCENT = 0.05, 1.5
"""Markers lie upon each other below these distances: of their forwards' logarithms to base 2, and of accuracies."""


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without two lossy runs that may be compared."""
    found = [group for group in results.groups if sum(map(len, _lines(group).values())) > 1]
    if not found:
        return None
    figure, axes = panels(columns, list(map(_title, found)), 1 if columns == 1 else 2, 2.2)
    for panel, group in zip(axes, found, strict=True):
        lines = _lines(group)
        runs = [run for line in lines.values() for run in line]
        widths = iter(_widths([(run.row["nfe.decoder"], 100 * run.row["accuracy.decoder"]) for run in runs]))
        for (decoder, _), line in lines.items():
            _line(panel, decoder, line, list(islice(widths, len(line))))
        panel.axhline(100 * group.rows["accuracy.reference"].iloc[0], **REFERENCE)
        _scale(panel, [run.row["nfe.decoder"] for run in runs])
        panel.set_xlabel("forwards per response")
        panel.set_ylabel("accuracy (%)")
        panel.grid()
    keys = decoder_keys((decoder for group in found for decoder, _ in _lines(group)), markerfacecolor="none")
    legend(figure, [*keys, Line2D([], [], label="the reference", **REFERENCE)])
    told = (
        "A line joins runs of one decoder and commit rule by their forwards; bars: Wilson's 95 % interval; n: prompts."
    )
    sizes = "A marker is larger only where it would hide another."
    small_print(figure, told, sizes, *small_print_of(found))
    return figure


def _title(group: Group) -> str:
    """Return the panel's title with the reference's forwards: they are so many that the axis leaves them out."""
    return f"{group.panel_title}; reference: {group.rows['nfe.reference'].iloc[0]:.0f} forwards"


def _lines(group: Group) -> dict[tuple[str, str], list[Run]]:
    """Return the runs of each lossy decoder and commit rule, by falling number of forwards."""
    lines: dict[tuple[str, str], list[Run]] = {}
    for run in sorted(group.runs, key=lambda run: -run.row["nfe.decoder"]):
        if not run.row["claims_lossless"]:
            lines.setdefault((run.decoder, str(run.row.get("config.decoder.commit"))), []).append(run)
    return lines


def _scale(axes: Axes, forwards: list[float]) -> None:
    """Mark the x axis at powers of two: some rules need many times the forwards of others."""
    powers = range(math.floor(math.log2(min(forwards))), math.ceil(math.log2(max(forwards))) + 1)
    axes.set_xscale("log", base=2)
    axes.set_xticks([2**power for power in powers], [f"{2**power:g}" for power in powers])
    axes.xaxis.set_minor_locator(NullLocator())


def _widths(points: Sequence[tuple[float, float]]) -> list[float]:
    """Return the width of each marker in print points. Markers upon each other have different widths.

    points: forwards and accuracy in percent of each marker.
    """
    levels: list[int] = []
    for point in points:
        taken = {level for level, other in zip(levels, points, strict=False) if _are_near(point, other)}
        levels.append(next(level for level in count() if level not in taken))
    return [WIDEST_POINTS - (WIDEST_POINTS - MARKER_POINTS) * SHRINKS**level for level in levels]


def _are_near(point: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(math.log2(point[0] / other[0])) < NEAR_OCTAVES and abs(point[1] - other[1]) < NEAR_PERCENT


def _line(axes: Axes, decoder: str, runs: Sequence[Run], widths_points: Sequence[float]) -> None:
    """Draw hollow markers, through which others are seen, with a line and pale intervals."""
    accuracy, spread = percents(*([run.row[name] for run in runs] for name in ("accuracy.decoder", "prompts")))
    forwards, (colour, marker) = [run.row["nfe.decoder"] for run in runs], look(decoder)
    axes.errorbar(forwards, accuracy, yerr=spread, color=colour, linewidth=0.6, ecolor=(colour, 0.3), elinewidth=0.5)
    axes.scatter(
        forwards, accuracy, [width**2 for width in widths_points], marker=marker, facecolor="none", edgecolor=colour,
        linewidth=0.7, zorder=3,
    )  # fmt: skip
