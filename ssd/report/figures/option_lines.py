"""Speedup over a number that a grid varies, such as depth or threshold: lines with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ssd.report.figures.intervals import whiskers
from ssd.report.figures.layout import legend, panels, small_print
from ssd.report.figures.selection import small_print_of
from ssd.report.figures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, Columns, Look
from ssd.report.groups import Group, Run
from ssd.report.labels import is_number, shown_options
from ssd.report.results import Results

LINES = tuple(Look(colour, marker) for marker in "osD^vP" for colour in (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY))
"""Looks of lines; the first six differ in colour."""
PREFIX = "config.decoder."
WIDE = 8
"""A scale that reaches from a number to this many times of it is logarithmic."""
MOST_TICKS = 6


class Panel(NamedTuple):
    """The lines of a group's runs of one decoder, by the options that each line has; `option` is on the x axis."""

    group: Group
    decoder: str
    option: str
    lines: dict[str, list[Run]]


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without two timed runs that differ in one number alone."""
    found = [panel for group in results.groups for panel in _panels(group)]
    if not found:
        return None
    per_row = 1 if columns == 1 else min(3, len(found))
    figure, axes = panels(columns, [f"{panel.group.panel_title}: {panel.decoder}" for panel in found], per_row, 1.7)
    looks = dict(zip(dict.fromkeys(name for panel in found for name in panel.lines), LINES * len(found), strict=False))
    for panel, place in zip(found, axes, strict=True):
        for name, runs in panel.lines.items():
            _line(place, PREFIX + panel.option, runs, looks[name])
        _scale(place, [float(run.row[PREFIX + panel.option]) for runs in panel.lines.values() for run in runs])
        place.axhline(1, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
        place.grid(axis="y")
        place.set_xlabel(panel.option)
        place.set_ylabel("speedup")
    if len(looks) > 1:
        keys = [Line2D([], [], color=look.colour, marker=look.marker, label=name) for name, look in looks.items()]
        legend(figure, keys)
    told = "Speedup: the reference's time over the decoder's, with 95 % intervals; n: prompts."
    small_print(figure, told, *small_print_of(panel.group for panel in found))
    return figure


def _panels(group: Group) -> Iterator[Panel]:
    """Return the panels of a group, one for each decoder whose runs differ in a number."""
    timed = [run for run in group.runs if run.is_timed]
    for decoder in dict.fromkeys(run.decoder for run in timed):
        runs = [run for run in timed if run.decoder == decoder]
        option = _option(pd.DataFrame([run.row for run in runs]))
        lines: dict[str, list[Run]] = {}
        for run in runs:
            if option and is_number(run.row[PREFIX + option]):
                words = run.label.removeprefix(decoder).split()
                name = " ".join(word for word in words if word.partition("=")[0] != option)
                lines.setdefault(name or decoder, []).append(run)
        lines = {name: points for name, points in lines.items() if len(points) > 1}
        if option and lines:
            yield Panel(group, decoder, option, lines)


def _option(rows: pd.DataFrame) -> str | None:
    """Return the decoder's option with the most numbers; None if there is none with two."""
    counts = {name: len({value for value in rows[name] if is_number(value)}) for name in shown_options(rows)}
    most = max(counts, key=lambda name: counts[name], default=None)
    return most.removeprefix(PREFIX) if most and counts[most] > 1 else None


def _line(axes: Axes, option: str, runs: list[Run], look: Look) -> None:
    rows = pd.DataFrame([run.row for run in runs]).sort_values(option, key=lambda values: values.astype(float))
    spread = whiskers(*(rows[f"speedup.{name}"] for name in ("ratio", "low", "high")))
    axes.errorbar(
        rows[option].astype(float), rows["speedup.ratio"], yerr=spread, color=look.colour, marker=look.marker,
        linewidth=1, elinewidth=0.6, capsize=1.5,
    )  # fmt: skip


def _scale(axes: Axes, values: list[float]) -> None:
    """Mark the x axis at the numbers of the runs; a wide range of them is on a scale of logarithms."""
    marks = sorted(set(values))
    if marks[0] > 0 and marks[-1] >= WIDE * marks[0]:
        axes.set_xscale("log", base=2)
    apart = -(-len(marks) // MOST_TICKS)
    axes.set_xticks(marks[::apart], [f"{mark:g}" for mark in marks[::apart]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(0.08)
