"""Which share of responses each approximation leaves unchanged: the cache, the decoder, and both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd.report.figures.intervals import wilson
from ssd.report.figures.layout import swatch
from ssd.report.figures.rows import rows_of_bars
from ssd.report.figures.style import BLUE, ORANGE, SKY, Columns
from ssd.report.groups import Group, Run

if TYPE_CHECKING:
    from ssd.report import Results

HOPS: Mapping[tuple[str, str], dict[str, Any]] = {
    ("uncached", "reference"): {"label": "no cache → cache", "facecolor": SKY, "hatch": "...."},
    ("reference", "decoder"): {"label": "cache → decoder", "facecolor": BLUE},
    ("uncached", "decoder"): {"label": "no cache → decoder", "facecolor": ORANGE, "hatch": "////"},
}
EDGE: dict[str, Any] = {"edgecolor": "black", "linewidth": 0.4}
BAR = 0.25


def draw(results: Results, columns: Columns) -> Figure | None:
    """None without a finished run. Only runs with runtime.reference=chain have hops from no cache."""
    found = results.groups
    if not found:
        return None
    chains = any(len(_shares(run)) > 1 for group in found for run in group.runs)
    bar = BAR if chains else 2 * BAR

    def bars(axes: Axes, group: Group, run: Run, place: float) -> None:
        _bars(axes, run, place, bar)

    keys = [swatch(**look, **EDGE) for hop, look in HOPS.items() if chains or hop == ("reference", "decoder")]
    told = "n: prompts; share of responses that are equal token for token, with Wilson's 95 % interval over prompts."
    return rows_of_bars(found, columns, bars, "identical (%)", keys, told)


def _shares(run: Run) -> dict[tuple[str, str], float]:
    hops = run.row.get("hops")
    if isinstance(hops, float) or hops is None or not len(hops):
        return {("reference", "decoder"): run.row["identity.rate"]}
    return {(hop["from"], hop["to"]): hop["identity"] for hop in hops}


def _bars(axes: Axes, run: Run, place: float, height: float) -> None:
    shares = _shares(run)
    for (hop, look), shift in zip(HOPS.items(), (-BAR, 0, BAR), strict=True):
        if hop not in shares:
            continue
        share, prompts = shares[hop], int(run.row["prompts"])  # repeats of a prompt are no trials of their own
        low, high = wilson(round(share * prompts), prompts)
        bar = {name: value for name, value in look.items() if name != "label"}
        spread = [[max(0, 100 * (share - low))], [max(0, 100 * (high - share))]]
        axes.barh(place + shift, 100 * share, height=height, **bar, **EDGE)
        axes.errorbar(100 * share, place + shift, xerr=spread, color="black", linewidth=0.7, capsize=1.2)
    axes.set_xlim(0, 103)
    axes.set_xticks([0, 50, 100])
