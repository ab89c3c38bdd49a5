"""Accuracy against speedup, and the Pareto front: the runs that no other run beats in both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ssd.report.figures.intervals import percents, whiskers
from ssd.report.figures.layout import decoder_keys, legend, panels, small_print
from ssd.report.figures.selection import small_print_of
from ssd.report.figures.style import BLACK, GREY, Columns, look
from ssd.report.groups import Run
from ssd.report.results import Results

FRONT: dict[str, Any] = {"color": "#404040", "linewidth": 1.2, "linestyle": (0, (2, 1)), "zorder": 1.5}


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without a timed run."""
    found = [group for group in results.groups if any(run.is_timed for run in group.runs)]
    if not found:
        return None
    per_row = 1 if columns == 1 else 2 if len(found) in (2, 4) else 3
    figure, axes = panels(columns, [group.panel_title for group in found], per_row, 1.8)
    for panel, group in zip(axes, found, strict=True):
        runs = [run for run in group.runs if run.is_timed]
        for run in runs:
            _point(panel, run)
        panel.axvline(1, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
        panel.set_xlabel("times as fast as the reference")
        panel.set_ylabel("accuracy (%)")
        panel.margins(0.1)
        _front(panel, front((run.row["speedup.ratio"], 100 * run.row["accuracy.decoder"]) for run in runs))
        panel.grid()
    decoders = (run.decoder for group in found for run in group.runs if run.is_timed)
    keys = [
        *decoder_keys(decoders, linestyle=""),
        Line2D([], [], color=BLACK, marker="o", linestyle="", label="claims to be lossless"),
        Line2D([], [], color=BLACK, marker="o", linestyle="", markerfacecolor="white", label="lossy"),
        Line2D([], [], label="Pareto front", **FRONT),
    ]
    legend(figure, keys)
    small_print(
        figure,
        "n: prompts; 95 % intervals: of speedups over prompts, of accuracies Wilson's.",
        *small_print_of(found),
    )
    return figure


def _point(axes: Axes, run: Run) -> None:
    row, (colour, marker) = run.row, look(run.decoder)
    accuracy, spread = percents([row["accuracy.decoder"]], [row["prompts"]])
    axes.errorbar(
        row["speedup.ratio"], accuracy, xerr=whiskers(*row[["speedup.ratio", "speedup.low", "speedup.high"]]),
        yerr=spread, color=colour, marker=marker, markerfacecolor=colour if row["claims_lossless"] else "white",
        linewidth=0.6,
    )  # fmt: skip


def _front(axes: Axes, best: list[tuple[float, float]]) -> None:
    """Draw the front as a stair that reaches both axes; a single point has a stair, too."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    axes.step(*zip((best[0][0], bottom), *best, (left, best[-1][1]), strict=True), where="post", **FRONT)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other point beats in both numbers, by falling first number."""
    best: list[tuple[float, float]] = []
    for point in sorted(points, reverse=True):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best
