"""Acceptance of drafts by depth, and the number of tokens that a verification committed."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ssd.report.figures.multiples import multiples
from ssd.report.figures.style import BLUE, VERMILLION, Columns
from ssd.report.groups import Run
from ssd.report.results import Results

PANEL_INCHES = 1.35
MOST_OUTLINED = 24
"""More bars have no outlines: these would cover them."""


def draw_by_depth(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without a finished run that drafts."""

    def drafts(run: Run) -> bool:
        rates = run.row["acceptance_length.rate_by_depth"]
        return isinstance(rates, list) and len(rates) > 0

    def fill(axes: list[Axes], run: Run) -> str:
        _bars(axes[0], np.array(run.row["acceptance_length.rate_by_depth"]), "depth", 1)
        axes[0].set_ylim(0, 1)
        return ""

    told = "Bars: share of the nodes drafted at a depth that were accepted."
    return multiples(results, columns, drafts, fill, PANEL_INCHES, told, ("accepted",))


def draw_lengths(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without stored samples of a finished run that drafts."""
    if results.samples.empty:
        return None
    by_run = dict(tuple(results.samples.groupby("run_id")["decoder.acceptance_lengths"]))

    def lengths(run: Run) -> np.ndarray:
        return np.array([length for stored in by_run.get(run.run_id, ()) for length in stored or ()], dtype=int)

    def fill(axes: list[Axes], run: Run) -> str:
        found = lengths(run)
        least = min(1, found.min())
        _bars(axes[0], np.bincount(found)[least:] / len(found), "tokens committed", least)
        axes[0].axvline(found.mean(), color=VERMILLION, linestyle="--", linewidth=1)
        return f", mean\N{NO-BREAK SPACE}{found.mean():.2f}"

    told = "Bars: share of verifications that committed this number of tokens, the bonus included; dashed: their mean."
    return multiples(results, columns, lambda run: len(lengths(run)) > 0, fill, PANEL_INCHES, told, ("verifications",))


def _bars(axes: Axes, shares: np.ndarray, across: str, least: int) -> None:
    """Draw the shares as bars at `least`, `least` + 1 and so on; across: the label of the x axis."""
    outline = 0.3 if len(shares) <= MOST_OUTLINED else 0
    axes.bar(range(least, least + len(shares)), shares, width=0.8, facecolor=BLUE, edgecolor="black", linewidth=outline)
    axes.set_xlim(least - 0.6, least + len(shares) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y")
    axes.set_xlabel(across)
