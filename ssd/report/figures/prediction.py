"""The speedup predicted from the cost of forwards, against the measured speedup."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from ssd.report.figures.intervals import whiskers
from ssd.report.figures.layout import canvas, decoder_keys, legend, small_print, swatch
from ssd.report.figures.selection import small_print_of
from ssd.report.figures.style import GREY, PALE, Columns, look
from ssd.report.results import Results

BAND = 0.1
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30)


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without a timed run whose speedup was predicted."""
    found = results.groups
    runs = [run for group in found for run in group.runs if run.is_timed and pd.notna(run.row["predicted_speedup"])]
    if not runs:
        return None
    figure = canvas(columns, 3.1 if columns == 1 else 3.4)
    axes = figure.subplots()
    for run in runs:
        row, (colour, marker) = run.row, look(run.decoder)
        spread = whiskers(*row[["speedup.ratio", "speedup.low", "speedup.high"]])
        axes.errorbar(
            row["speedup.ratio"], row["predicted_speedup"], xerr=spread, color=colour, marker=marker,
            linewidth=0.6, markeredgecolor="white", markeredgewidth=0.3,
        )  # fmt: skip
    values = np.array([[run.row["speedup.ratio"], run.row["predicted_speedup"]] for run in runs])
    limits = np.array([values.min() / 1.25, values.max() * 1.25])
    axes.fill_between(limits, limits * (1 - BAND), limits * (1 + BAND), color=PALE, alpha=0.6, linewidth=0, zorder=0)
    axes.plot(limits, limits, color=GREY, linewidth=0.8, zorder=0)
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(ticks(*limits)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    axes.set_xlabel("measured speedup (times as fast)")
    axes.set_ylabel("predicted speedup (times as fast)")
    keys = [
        *decoder_keys((run.decoder for run in runs), linestyle=""),
        Line2D([], [], color=GREY, linewidth=0.8, label="as predicted"),
        swatch(f"within {BAND:.0%}", facecolor=PALE, edgecolor="none"),
    ]
    legend(figure, keys, beside=columns == 2)
    shown = [group for group in found if any(run in runs for run in group.runs)]
    small_print(figure, "A point is a run; 95 % intervals of measured speedups.", *small_print_of(shown))
    return figure


def ticks(low: float, high: float) -> list[float]:
    """Return the marks of this scale, 1 among them; of many marks every second or third."""
    found = [tick for tick in TICKS if low <= tick <= high]
    apart = 1 + len(found) // 9
    return found[(found.index(1) if 1 in found else 0) % apart :: apart]
