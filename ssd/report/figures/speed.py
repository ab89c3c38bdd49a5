"""Speedup and saved forwards by decoder and group: bars with intervals, from a line at 1 to both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ssd.report.figures.intervals import ratio_of_forwards, whiskers
from ssd.report.figures.layout import swatch
from ssd.report.figures.rows import rows_of_bars
from ssd.report.figures.style import BLUE, GREY, ORANGE, Columns
from ssd.report.groups import Group, Run
from ssd.report.results import Results

SPEEDUP = {"facecolor": BLUE, "edgecolor": "black", "linewidth": 0.4}
FORWARDS = {"facecolor": ORANGE, "edgecolor": "black", "linewidth": 0.4, "hatch": "////"}
BAR = 0.38
MARGIN = 1.1
MOST_TICKS = 5


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without a finished run. Runs that were not timed have a bar of forwards only."""
    found = results.groups
    if not found:
        return None
    samples = dict(tuple(results.samples.groupby("run_id")))
    reached = [1 / MARGIN, MARGIN]

    def bars(axes: Axes, group: Group, run: Run, place: float) -> None:
        row = run.row
        if run.is_timed:
            ends = (row["speedup.low"], row["speedup.high"])
            reached.extend(_bar(axes, place - BAR / 2, row["speedup.ratio"], ends, SPEEDUP))
        ends = (run.run_id in samples and ratio_of_forwards(samples[run.run_id])) or (np.nan, np.nan)
        reached.extend(_bar(axes, place + BAR / 2 * run.is_timed, row["nfe.ratio"], ends, FORWARDS))
        axes.axvline(1, color=GREY, linewidth=0.8, zorder=3)

    any_timed = any(run.is_timed for group in found for run in group.runs)
    keys = [swatch("speedup (wall clock)", **SPEEDUP)] if any_timed else []
    keys.append(swatch("forwards saved (NFE)", **FORWARDS))
    amounts = "time, and forwards," if any_timed else "forwards"
    told = f"Ratio: the reference's {amounts} over the decoder's, with 95 % intervals; n: prompts."
    figure = rows_of_bars(found, columns, bars, "ratio (log scale)", keys, told)
    low, high = min(reached) / MARGIN, max(reached) * MARGIN
    for axes in figure.axes:
        axes.set(xscale="log", xlim=(low, high))
        axes.set_xticks(ticks(low, high))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
    return figure


def ticks(low: float, high: float) -> list[float]:
    """Return about five marks of a scale of ratios, 1 among them: powers of 2, 4, 8, ..., or others if it is short.

    A scale that reaches 1/2 also has a mark below 1.
    """
    base, halves = 2, [0.5**exponent for exponent in range(12, 0, -1) if low <= 0.5**exponent]
    while True:
        powers = [float(base) ** exponent for exponent in range(-12, 13) if low <= float(base) ** exponent <= high]
        powers = powers if powers[0] < 1 else [*halves[:1], *powers]
        if len(powers) <= MOST_TICKS:
            break
        base *= 2
    marks = (0.6, 0.8, 1.0, 1.2, 1.5) if high < 2 else (0.7, 1.0, 1.5, 2.0, 3.0)
    return powers if len(powers) > 2 else [mark for mark in marks if low <= mark <= high]


def _bar(axes: Axes, place: float, value: float, ends: tuple[float, float], look: dict[str, Any]) -> list[float]:
    """Draw a bar from 1 to the value, with its interval unless its ends are NaN; return the ends of both."""
    axes.barh(place, value - 1, left=1, height=BAR, **look)
    axes.errorbar(value, place, xerr=whiskers(value, *ends), color="black", linewidth=0.8, capsize=1.5)
    return [value, *(end for end in ends if not pd.isna(end))]
