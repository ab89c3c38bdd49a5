"""The directed decoding map of one prompt (arXiv 2510.05148), of the reference and of each decoder."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from ssd.metrics.decoding_map import BOTH, CHANGE, FALL, RISE
from ssd.report.decoding_maps import Maps, maps_of
from ssd.report.figures.layout import legend, small_print, swatch
from ssd.report.figures.layout import maps as map_panels
from ssd.report.figures.selection import sides, small_print_of
from ssd.report.figures.style import BLACK, GREEN, ORANGE, SKY, VERMILLION, Columns
from ssd.report.groups import Group
from ssd.report.results import Results

COLOURS = {-CHANGE: VERMILLION, FALL: ORANGE, 0.0: "#FFFFFF", RISE: GREEN, CHANGE: SKY, BOTH: BLACK}
"""Colours by value, from the lowest value to the highest."""
MEANINGS = {
    BOTH: "decided: some rose, some fell",
    RISE: "decided: none fell",
    FALL: "decided: none rose",
    CHANGE: "earlier: rose",
    -CHANGE: "earlier: fell",
}


def draw(results: Results, columns: Columns) -> Figure | None:
    """Return the figure; None without runs that stored the confidences of decided positions."""
    maps = maps_of(results)
    found = [(group, *panel) for group in results.groups for panel in _panels(group, maps)]
    if not found:
        return None
    figure, axes = map_panels(columns, [title for _, title, _ in found], "position", "step")
    values = np.array(list(COLOURS))
    norm = BoundaryNorm(np.array([-np.inf, *(values[:-1] + values[1:]) / 2, np.inf]), len(values))
    colours = ListedColormap(list(COLOURS.values()))
    for panel, (_, _, cells) in zip(axes, found, strict=True):
        panel.imshow(cells, norm=norm, cmap=colours, origin="lower", aspect="auto")
    legend(figure, [swatch(MEANINGS[value], facecolor=COLOURS[value]) for value in MEANINGS])
    small_print(
        figure,
        "Each row: how a step changed the confidences of earlier positions, and which positions it decided. White: "
        "masked, unchanged, or not computed by this step.",
        *small_print_of(group for group, *_ in found),
    )
    return figure


def _panels(group: Group, maps: dict[tuple[str, str], Maps]) -> list[tuple[str, np.ndarray]]:
    """Return titles and maps, float64 [steps, positions], of the group's first prompt.

    They are the reference's, and those of all decoders but stepwise decoding.
    """
    shown = sides(group, maps)
    chosen = min(maps[shown[0][0].run_id, "reference"]) if shown else None
    return [
        (f"{run.row['compared_with'] if side == 'reference' else run.name}: {group.title}", own[chosen])
        for run, side in shown
        if chosen in (own := maps[run.run_id, side]) and (side == "reference" or run.decoder != "stepwise")
    ]
