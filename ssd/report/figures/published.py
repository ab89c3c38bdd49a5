"""Published numbers beside measured ones, for runs with the published settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ssd.report.figures.layout import LINE_INCHES, canvas, legend, small_print, wrap
from ssd.report.figures.style import BLUE, GREY, VERMILLION, Columns
from ssd.report.published import beside_measured
from ssd.report.results import Results

METRICS = {
    "speedup": "speedup (times as fast)",
    "nfe_ratio": "forwards saved (times fewer)",
    "steps_reduction_percent": "steps saved (%)",
    "nfe": "NFE per response",
    "tokens_per_s": "tokens per s",
    "latency_s": "latency (s)",
    "accuracy_percent": "accuracy (%)",
}
PUBLISHED: dict[str, Any] = {"color": VERMILLION, "marker": "D", "markerfacecolor": "white", "linestyle": ""}
MEASURED: dict[str, Any] = {"color": BLUE, "marker": "o", "linestyle": ""}


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without a finished run with published settings."""
    beside = beside_measured(results)
    pairs = beside[beside["run_id"].notna()]
    if pairs.empty:
        return None
    labels = {run.run_id: run.label for group in results.groups for run in group.runs}
    lots = [(metric, pairs[pairs["metric"] == metric]) for metric in METRICS]
    lots = [(metric, lot) for metric, lot in lots if len(lot)]
    width_inches = 1.4 if columns == 1 else 3.2
    names = [
        [wrap(_name(labels[str(pair.run_id)], pair), width_inches) for pair in lot.itertuples()] for _, lot in lots
    ]
    heights = [0.5 + sum(0.1 + LINE_INCHES * (name.count("\n") + 1) for name in lot) for lot in names]
    figure = canvas(columns, sum(heights))
    grid = figure.subplots(len(lots), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (metric, lot), rows in zip(grid, lots, names, strict=True):
        for place, pair in enumerate(lot.itertuples()):
            axes.plot([pair.value, pair.measured], [place, place], color=GREY, linewidth=0.8, zorder=1)
            axes.plot(pair.value, place, **PUBLISHED)
            axes.plot(pair.measured, place, **MEASURED)
        axes.set_yticks(range(len(rows)), rows, linespacing=1.0)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(0, 1.1 * max(lot["value"].max(), lot["measured"].max()))
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.set_xlabel(METRICS[metric])
    legend(figure, [Line2D([], [], label="published", **PUBLISHED), Line2D([], [], label="measured here", **MEASURED)])
    small_print(
        figure,
        "The same model, task, lengths and method, greedy with one token per step; cache, examples, batch and options "
        "as stated. Tokens/s: before the first end token. n: prompts measured here. Software differs.",
        f"Published: {_listed(pairs['paper'])}; hardware: {_listed(pairs['hardware'])}.",
        f"Measured on: {_listed(pairs['device'])}.",
    )
    return figure


def _name(label: str, pair: Any) -> str:
    told = f": {pair.setting}" if pair.setting else ""
    return f"{label}, n = {pair.prompts:.0f} ({pair.model}, {pair.task}{told})"


def _listed(values: Iterable[Any]) -> str:
    """Return each value once; a missing value is `not stated`."""
    return ", ".join(dict.fromkeys(str(value) or "not stated" for value in values))
