"""The share of drafts that are accepted, by the confidence of the draft."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ssd.metrics.bootstrap import ratio_interval
from ssd.report.figures.intervals import RESAMPLES, whiskers
from ssd.report.figures.multiples import multiples
from ssd.report.figures.style import BLACK, PALE, Columns, look
from ssd.report.groups import Run
from ssd.report.results import Results
from ssd.report.viewer.contents import LOWEST

BINS = 10
PANEL_INCHES = 2.0


class Drafts(NamedTuple):
    """The drafted nodes with a confidence: their prompts, confidences and acceptance, one entry per node each.

    held_back: number of nodes without a confidence. They drafted an end token that generation.eos holds back.
    """

    prompts: np.ndarray
    confidences: np.ndarray
    accepted: np.ndarray
    held_back: int


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without stored traces of a run that drafts."""
    drafts = _drafts(results.forwards())

    def fill(axes: list[Axes], run: Run) -> str:
        found = drafts[run.run_id]
        _panel(axes[0], axes[1], run, found)
        return f", {found.held_back}\N{NO-BREAK SPACE}held\N{NO-BREAK SPACE}back" if found.held_back else ""

    told = (
        "Confidence: the least among a drafted node's picks, in the scores that it was drafted from. Points: share "
        "accepted, with 95 % intervals (over prompts; none for a single one). Bars: number of drafts."
    )
    if any(found.held_back for found in drafts.values()):
        told += " Held back: drafts of end tokens, which had no confidence, are left out."
    return multiples(
        results, columns, lambda run: run.run_id in drafts, fill, PANEL_INCHES, told, ("accepted", "drafts"), (3, 1)
    )


def _drafts(forwards: pd.DataFrame) -> dict[str, Drafts]:
    """Return the drafts of each run that drafted, by run id."""
    found = {}
    for run_id, rows in forwards[forwards["side"] == "decoder"].groupby("run_id"):
        nodes = rows[["index", "draft_confidences", "draft_accepted"]].explode(["draft_confidences", "draft_accepted"])
        nodes = nodes.dropna()
        known = nodes[nodes["draft_confidences"].astype(float) > LOWEST]
        if len(known):
            prompts, confidences, accepted = (known[name].to_numpy() for name in nodes)
            found[str(run_id)] = Drafts(
                prompts, confidences.astype(float), accepted.astype(bool), len(nodes) - len(known)
            )
    return found


def _panel(rates: Axes, counts: Axes, run: Run, drafts: Drafts) -> None:
    """Draw a run: shares accepted above, numbers of drafts below. Of negative entropies, exponentials are shown."""
    are_entropies = run.row.get("config.generation.ranking") == "entropy"
    certainty = np.exp(drafts.confidences) if are_entropies else drafts.confidences
    edges = np.linspace(0, 1, BINS + 1)
    places = np.clip(np.digitize(certainty, edges) - 1, 0, BINS - 1)
    tried, right = (np.bincount(chosen, minlength=BINS) for chosen in (places, places[drafts.accepted]))
    middles, any_tried = (edges[1:] + edges[:-1]) / 2, tried > 0
    share = right[any_tried] / tried[any_tried]
    intervals = [interval(drafts, places == place) for place in np.flatnonzero(any_tried)]
    spread = whiskers(share, *np.transpose(intervals))
    colour, marker = look(run.decoder)
    rates.errorbar(middles[any_tried], share, yerr=spread, color=colour, marker=marker, linewidth=1, capsize=1.5)
    rates.set_ylim(-0.03, 1.03)
    rates.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    rates.set_yticks([0, 0.5, 1])
    rates.tick_params(axis="x", labelbottom=False)
    counts.bar(middles, tried, width=np.diff(edges) * 0.9, facecolor=PALE, edgecolor=BLACK, linewidth=0.3)
    counts.set_yticks([0, tried.max()])
    counts.set_xlabel("exp(−entropy)" if are_entropies else "confidence")
    for axes in (rates, counts):
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.grid(axis="y")


def interval(drafts: Drafts, chosen: np.ndarray) -> tuple[float, float]:
    """Return the interval of the share accepted, over prompts; NaN for a single prompt."""
    by_prompt = pd.DataFrame({"accepted": drafts.accepted[chosen], "tried": 1}).groupby(drafts.prompts[chosen]).sum()
    if len(by_prompt) < 2:
        return np.nan, np.nan
    accepted, tried = by_prompt.to_numpy(dtype=float).T
    low, high = ratio_interval(accepted, tried, RESAMPLES)
    return low, min(high, 1.0)
