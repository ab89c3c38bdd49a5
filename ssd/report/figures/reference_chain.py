"""The share of responses that each link of the reference chain leaves unchanged: the cache, the decoder, both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd.report.figures.intervals import percents
from ssd.report.figures.layout import swatch
from ssd.report.figures.rows import rows_of_bars
from ssd.report.figures.style import BLUE, ORANGE, SKY, Columns
from ssd.report.groups import Group, Run
from ssd.report.results import Results

LINKS: Mapping[tuple[str, str], dict[str, Any]] = {
    ("uncached", "reference"): {"label": "no cache → cache", "facecolor": SKY, "hatch": "...."},
    ("reference", "decoder"): {"label": "cache → decoder", "facecolor": BLUE},
    ("uncached", "decoder"): {"label": "no cache → decoder", "facecolor": ORANGE, "hatch": "////"},
}
EDGE: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.4}
BAR = 0.25


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without a finished run. Only runs with runtime.reference=chain have all three links."""
    found = results.groups
    if not found:
        return None
    chains = any(len(_shares(run)) > 1 for group in found for run in group.runs)
    bar = BAR if chains else 2 * BAR

    def bars(axes: Axes, group: Group, run: Run, place: float) -> None:
        _bars(axes, run, place, bar)

    keys = [swatch(**look, **EDGE) for link, look in LINKS.items() if chains or link == ("reference", "decoder")]
    told = "n: prompts; share of responses that are equal token for token, with Wilson's 95 % interval over prompts."
    return rows_of_bars(found, columns, bars, "identical (%)", keys, told)


def _shares(run: Run) -> dict[tuple[str, str], float]:
    """Return the share of equal responses by link; without a chain, of the decoder's link alone."""
    links = run.row.get("hops")
    if isinstance(links, float) or links is None or not len(links):
        return {("reference", "decoder"): run.row["identity.rate"]}
    return {(link["from"], link["to"]): link["identity"] for link in links}


def _bars(axes: Axes, run: Run, place: float, height: float) -> None:
    shares = _shares(run)
    for (link, look), shift in zip(LINKS.items(), (-BAR, 0, BAR), strict=True):
        if link not in shares:
            continue
        share, spread = percents([shares[link]], [run.row["prompts"]])  # repeats of a prompt are no trials of their own
        bar = {name: value for name, value in look.items() if name != "label"}
        axes.barh(place + shift, share, height=height, **bar, **EDGE)
        axes.errorbar(share, place + shift, xerr=spread, color="black", linewidth=0.7, capsize=1.2)
    axes.set_xlim(0, 103)
    axes.set_xticks([0, 50, 100])
