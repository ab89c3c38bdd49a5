"""The look of figures: widths, fonts, and colours that colour-blind readers can distinguish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, cast

import matplotlib as mpl

Columns = Literal[1, 2]
WIDTH_INCHES: Mapping[Columns, float] = {1: 3.3, 2: 6.9}
"""Widths of a figure over one column of a paper, and over two."""
PAGE_INCHES = 9.0
"""Most height of a figure: what a page of a paper has room for."""
FAMILY = "DejaVu Sans"  # comes with matplotlib
SMALL, NORMAL = 7.0, 8.0
"""Font sizes in points."""
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE = "#666666", "#D9D9D9"

STYLE: dict[str, Any] = {
    "font.family": FAMILY,
    "font.size": NORMAL,
    "text.parse_math": False,  # names may hold dollar signs
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.5,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # embedded as TrueType: publishers refuse Type 3
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
}


class Look(NamedTuple):
    """A decoder's colour and marker, the same in every figure."""

    colour: str
    marker: str


LOOKS = {
    "stepwise": Look(BLACK, "s"),
    "ssd": Look(BLUE, "o"),
    "freedave": Look(SKY, "D"),
    "psd": Look(PURPLE, "^"),
    "spiffy": Look(GREEN, "v"),
    "fast_dllm": Look(VERMILLION, "P"),
    "wino": Look(ORANGE, "X"),
    "apd": Look("#8C6D00", "<"),
}
OTHER_COLOURS = ("#882255", "#332288", "#999933", "#44AA99", "#AA4499", "#6699CC", "#661100", GREY)
OTHER_MARKERS = (">", "h", "p", "d", "*", "8", "H")
OTHERS = tuple(map(Look, OTHER_COLOURS * len(OTHER_MARKERS), OTHER_MARKERS * len(OTHER_COLOURS)))
"""Looks of decoders without one of their own; the first eight differ in colour."""
_drawn: ContextVar[tuple[str, ...]] = ContextVar("drawn", default=())
"""Decoders of the figure that is being drawn, apart from those in LOOKS."""


def look(decoder: str) -> Look:
    """Return a known decoder's look, or the look that no other decoder of the figure has."""
    if decoder in LOOKS:
        return LOOKS[decoder]
    return OTHERS[_drawn.get().index(decoder) % len(OTHERS)]


@contextmanager
def styled(decoders: Iterable[str] = ()) -> Iterator[None]:
    """Return the context in which figures of these decoders are drawn and saved."""
    token = _drawn.set(tuple(sorted(set(decoders) - LOOKS.keys())))
    try:
        with mpl.rc_context(cast(Any, STYLE)):
            yield
    finally:
        _drawn.reset(token)
