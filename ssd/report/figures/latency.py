"""Latency: the share of responses that each side finished within a number of seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ssd.report.figures.layout import decoder_keys, legend, panels, small_print
from ssd.report.figures.selection import fastest_by_group, small_print_of
from ssd.report.figures.style import GREY, Columns, look
from ssd.report.results import Results

REFERENCE, DECODER = "reference.latency_s", "decoder.latency_s"
DASHED: dict[str, Any] = {"color": GREY, "linestyle": "--"}


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without stored samples of a timed run."""
    if results.samples.empty:
        return None
    timed = results.samples.dropna(subset=[REFERENCE, DECODER])
    by_run = dict(tuple(timed.groupby("run_id")))
    lots = fastest_by_group(results.groups, lambda run: run.is_timed and run.run_id in by_run)
    if not lots:
        return None
    per_row = 1 if columns == 1 else min(3, len(lots))
    figure, axes = panels(columns, [group.panel_title for group, _ in lots], per_row, 1.6)
    for panel, (_, runs) in zip(axes, lots, strict=True):
        panel.ecdf(pd.concat([by_run[run.run_id][REFERENCE] for run in runs]).to_numpy(dtype=float), **DASHED)
        for run in runs:
            _curve(panel, by_run[run.run_id][DECODER].to_numpy(dtype=float), run.decoder)
        panel.set_xlim(left=0)
        panel.set_ylim(0, 1.02)
        panel.xaxis.set_major_locator(MaxNLocator(5))
        panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        panel.grid()
        panel.set_xlabel("latency (s)")
        panel.set_ylabel("finished")
    shown = [run for _, runs in lots for run in runs]
    keys = decoder_keys(run.decoder for run in shown)
    legend(figure, [Line2D([], [], label="reference", **DASHED), *keys])
    told = "Share of responses that took at most this time; markers at 10, 50 and 90 %."
    small_print(figure, told, "n: prompts.", *small_print_of((group for group, _ in lots), shown))
    return figure


def _curve(axes: Axes, latencies: np.ndarray, decoder: str) -> None:
    colour, marker = look(decoder)
    axes.ecdf(latencies, color=colour)
    shares = np.array([0.1, 0.5, 0.9])
    places = np.quantile(latencies, shares, method="inverted_cdf")
    axes.plot(places, shares, color=colour, marker=marker, linestyle="", markersize=3.5)
