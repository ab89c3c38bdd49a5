"""Accuracy against forwards: how much accuracy each commit rule gives up for the forwards that it saves."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ssd.report.figures.intervals import percents
from ssd.report.figures.layout import decoder_keys, legend, panels, small_print
from ssd.report.figures.selection import small_print_of
from ssd.report.figures.style import BLACK, Columns, look
from ssd.report.groups import Group, Run
from ssd.report.results import Results


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without two lossy runs that may be compared."""
    found = [group for group in results.groups if sum(map(len, _lines(group).values())) > 1]
    if not found:
        return None
    figure, axes = panels(columns, [group.panel_title for group in found], 1 if columns == 1 else 2, 1.8)
    for panel, group in zip(axes, found, strict=True):
        lines = _lines(group)
        for decoder, runs in lines.items():
            _line(panel, decoder, runs)
        reference = next(iter(lines.values()))[0].row
        panel.plot(reference["nfe.reference"], 100 * reference["accuracy.reference"], "*", color=BLACK, markersize=7)
        _scale(
            panel, [reference["nfe.reference"], *(run.row["nfe.decoder"] for runs in lines.values() for run in runs)]
        )
        panel.set_xlabel("forwards per response")
        panel.set_ylabel("accuracy (%)")
        panel.grid()
    keys = decoder_keys(decoder for group in found for decoder in _lines(group))
    legend(figure, [*keys, Line2D([], [], color=BLACK, marker="*", linestyle="", label="the reference")])
    told = "Each line joins the runs of one decoder by their forwards; bars: Wilson's 95 % interval; n: prompts."
    small_print(figure, told, *small_print_of(found))
    return figure


def _lines(group: Group) -> dict[str, list[Run]]:
    """Return the runs of each lossy decoder, by falling number of forwards."""
    lines: dict[str, list[Run]] = {}
    for run in sorted(group.runs, key=lambda run: -run.row["nfe.decoder"]):
        if not run.row["claims_lossless"]:
            lines.setdefault(run.decoder, []).append(run)
    return lines


def _scale(axes: Axes, forwards: list[float]) -> None:
    """Mark the x axis at powers of two: parallel rules need few forwards, and the reference many."""
    powers = range(math.floor(math.log2(min(forwards))), math.ceil(math.log2(max(forwards))) + 1)
    axes.set_xscale("log", base=2)
    axes.set_xticks([2**power for power in powers], [f"{2**power:g}" for power in powers])
    axes.xaxis.set_minor_locator(NullLocator())


def _line(axes: Axes, decoder: str, runs: list[Run]) -> None:
    accuracy, spread = percents(*([run.row[name] for run in runs] for name in ("accuracy.decoder", "prompts")))
    axes.errorbar(
        [run.row["nfe.decoder"] for run in runs], accuracy, yerr=spread,
        color=look(decoder).colour, marker=look(decoder).marker, linewidth=1, elinewidth=0.5, capsize=1.2,
    )  # fmt: skip
