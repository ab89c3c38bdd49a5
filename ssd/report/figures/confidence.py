"""How often a draft is accepted, by the confidence that it was drafted with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ssd.report.figures.intervals import wilson
from ssd.report.figures.multiples import multiples
from ssd.report.figures.selection import Run
from ssd.report.figures.style import BLACK, GREY, PALE, Columns, look

if TYPE_CHECKING:
    from ssd.report import Results

BINS = 10
PANEL_INCHES = 2.0


def draw(results: Results, columns: Columns) -> Figure | None:
    """None without stored traces of a run that drafts."""
    drafts = _drafts(results.forwards())

    def fill(axes: list[Axes], run: Run) -> str:
        _panel(*axes, run, *drafts[run.run_id])
        return ""

    told = (
        "Confidence: the least among a drafted node's picks, in the scores that it was drafted from. Points: share "
        "accepted, with Wilson's 95 % interval; dashed: as often as the confidence says. Bars: number of drafts."
    )
    return multiples(
        results, columns, lambda run: run.run_id in drafts, fill, PANEL_INCHES, told, ("accepted", "drafts"), (3, 1)
    )


def _drafts(forwards: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Run → confidence of every drafted node, and whether it was accepted."""
    found = {}
    for run_id, rows in forwards[forwards["side"] == "decoder"].groupby("run_id"):
        confidences = [value for values in rows["draft_confidences"] for value in values]
        accepted = [value for values in rows["draft_accepted"] for value in values]
        if confidences:
            found[run_id] = np.array(confidences, dtype=float), np.array(accepted, dtype=bool)
    return found


def _panel(rates: Axes, counts: Axes, run: Run, confidences: np.ndarray, accepted: np.ndarray) -> None:
    """Confidences are probabilities or their differences; negative entropies are shown as their exponentials."""
    are_shares = confidences.min() >= 0
    certainty = confidences if are_shares else np.exp(confidences)
    edges = np.linspace(0, 1, BINS + 1)
    places = np.clip(np.digitize(certainty, edges) - 1, 0, BINS - 1)
    tried, right = (np.bincount(chosen, minlength=BINS) for chosen in (places, places[accepted]))
    middles, any_tried = (edges[1:] + edges[:-1]) / 2, tried > 0
    share = right[any_tried] / tried[any_tried]
    low, high = np.array([wilson(*pair) for pair in zip(right[any_tried], tried[any_tried], strict=True)]).T
    spread = [np.maximum(0, share - low), np.maximum(0, high - share)]
    colour, marker = look(run.decoder)
    rates.errorbar(middles[any_tried], share, yerr=spread, color=colour, marker=marker, linewidth=1, capsize=1.5)
    if are_shares:
        rates.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    rates.set_ylim(-0.03, 1.03)
    rates.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    rates.set_yticks([0, 0.5, 1])
    rates.tick_params(axis="x", labelbottom=False)
    counts.bar(middles, tried, width=np.diff(edges) * 0.9, facecolor=PALE, edgecolor=BLACK, linewidth=0.3)
    counts.set_yticks([0, tried.max()])
    counts.set_xlabel("confidence" if are_shares else "exp(−entropy)")
    for axes in (rates, counts):
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.grid(axis="y")
