"""The directed decoding map of one prompt (arXiv 2510.05148), of the reference and of each decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from ssd.metrics.decoding_map import BOTH, CHANGE, FALL, RISE
from ssd.report.decoding_maps import Maps, maps_of
from ssd.report.figures.layout import legend, panels, small_print, swatch
from ssd.report.figures.selection import fastest, small_print_of
from ssd.report.figures.style import BLACK, GREEN, ORANGE, PALE, SKY, VERMILLION, WIDTH_INCHES, Columns
from ssd.report.groups import Group

if TYPE_CHECKING:
    from ssd.report import Results

COLOURS = {-CHANGE: VERMILLION, FALL: ORANGE, 0.0: "#FFFFFF", RISE: GREEN, CHANGE: SKY, BOTH: BLACK}
"""Colours by value, from the lowest value to the highest."""
MEANINGS = {
    BOTH: "decided: some rose, some fell",
    RISE: "decided: none fell",
    FALL: "decided: none rose",
    CHANGE: "earlier: rose",
    -CHANGE: "earlier: fell",
}


class Panel(NamedTuple):
    """The map of one side of a run for the figure's prompt, float64 [steps, positions]."""

    title: str
    cells: np.ndarray


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without runs that stored the confidences of decided positions."""
    maps = maps_of(results)
    found = [(group, panel) for group in results.groups for panel in _panels(group, maps)]
    if not found:
        return None
    per_row = min(2 if columns == 1 else 3, len(found))
    height_inches = min(WIDTH_INCHES[columns] / per_row, 2.8)
    figure, axes = panels(columns, [panel.title for _, panel in found], per_row, height_inches)
    values = np.array(list(COLOURS))
    norm = BoundaryNorm(np.array([-np.inf, *(values[:-1] + values[1:]) / 2, np.inf]), len(values))
    for place, (drawn, (_, panel)) in enumerate(zip(axes, found, strict=True)):
        drawn.imshow(panel.cells, norm=norm, cmap=ListedColormap(list(COLOURS.values())), origin="lower", aspect="auto")
        drawn.locator_params(nbins=3, integer=True)
        drawn.set_xlabel("position")
        if place % per_row == 0:
            drawn.set_ylabel("step")
        drawn.spines[:].set_visible(True)
        drawn.spines[:].set_color(PALE)
    legend(figure, [swatch(MEANINGS[value], facecolor=COLOURS[value]) for value in MEANINGS])
    small_print(
        figure,
        "Each row: how a step changed the confidences of earlier positions, and which positions it decided. White: "
        "masked, unchanged, or not computed by this step.",
        *small_print_of(dict.fromkeys(group for group, _ in found)),
    )
    return figure


def _panels(group: Group, maps: dict[tuple[str, str], Maps]) -> Iterator[Panel]:
    """Return the maps of the group's first prompt: the reference's, and those of all decoders but stepwise."""
    shown = group.having(lambda run: (run.run_id, "decoder") in maps and (run.run_id, "reference") in maps)
    if not shown.runs:
        return
    first = shown.runs[0]
    chosen = min(maps[first.run_id, "reference"])
    yield Panel(f"{first.row['compared_with']}: {group.title}", maps[first.run_id, "reference"][chosen])
    for run in fastest(shown):
        if run.decoder != "stepwise" and chosen in maps[run.run_id, "decoder"]:
            yield Panel(f"{run.name}: {group.title}", maps[run.run_id, "decoder"][chosen])
