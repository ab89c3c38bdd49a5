"""Layout: panels, titles, legends and small print, with lines that are broken by their measured width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from math import ceil
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextToPath

from ssd.report.figures.style import FAMILY, PALE, SMALL, WIDTH_INCHES, Columns, look

LINE_INCHES = 0.12
"""The height of a line of small print."""
KEY_INCHES, KEY_HEIGHT_INCHES = 0.45, 0.16
"""Width of a legend's key beside its name, and height of a legend's row."""

_TEXT = TextToPath()


def canvas(columns: Columns, height_inches: float) -> Figure:
    """Return an empty figure with room for labels. Legend and small print add their own heights."""
    return Figure(figsize=(WIDTH_INCHES[columns], height_inches), layout="constrained")


def panels(columns: Columns, titles: Sequence[str], per_row: int, height_inches: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each title, row by row. height_inches: of a panel without its title."""
    across = min(per_row, len(titles))
    heads = [wrap(title, room(columns, across)) for title in titles]
    heights = [height_inches + head_inches(heads[start : start + across]) for start in range(0, len(heads), across)]
    figure = canvas(columns, sum(heights))
    axes = list(figure.subplots(len(heights), across, squeeze=False, height_ratios=heights).flat)
    for unused in axes[len(heads) :]:
        unused.remove()
    for panel, title in zip(axes, heads, strict=False):
        head(panel, title)
    return figure, axes[: len(heads)]


def maps(columns: Columns, titles: Sequence[str], across: str, up: str) -> tuple[Figure, list[Axes]]:
    """Return a figure with a framed panel for each title, about square. across, up: labels of the axes."""
    per_row = min(2 if columns == 1 else 3, len(titles))
    figure, axes = panels(columns, titles, per_row, min(WIDTH_INCHES[columns] / per_row, 2.8))
    for place, panel in enumerate(axes):
        panel.locator_params(nbins=3, integer=True)
        panel.set_xlabel(across)
        panel.set_ylabel(up if place % per_row == 0 else "")
        panel.spines[:].set_visible(True)
        panel.spines[:].set_color(PALE)
    return figure, axes


def head(axes: Axes, title: str) -> None:
    """Set a panel's title; its lines are broken already."""
    axes.set_title(title, loc="left", fontsize=SMALL, linespacing=1.1)


def head_inches(heads: Sequence[str]) -> float:
    """Return the height of the titles of panels beside each other."""
    return LINE_INCHES * (1 + max(title.count("\n") for title in heads))


def room(columns: Columns, per_row: int, margin_inches: float = 0.65) -> float:
    """Return the width of a panel without the labels of its y axis, in inches."""
    return WIDTH_INCHES[columns] / per_row - margin_inches


@cache
def inches(text: str, size: float) -> float:
    """Return the width of a line of text."""
    return _TEXT.get_text_width_height_descent(text, FontProperties(family=FAMILY, size=size), ismath=False)[0] / 72


def wrap(text: str, width_inches: float, size: float = SMALL) -> str:
    """Return the text in lines no wider than this. Lines break between words, and inside words that are too long."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if inches(longer, size) <= width_inches:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and inches(lines[-1] + letter, size) > width_inches:
                lines.append("")
            lines[-1] += letter
    return "\n".join(lines)


def small_print(figure: Figure, *sentences: str) -> None:
    """Keep what a reader must know beside the figure: numbers of prompts, circumstances, what is left out."""
    figure.set_label(" ".join(dict.fromkeys(sentence for sentence in sentences if sentence)))


def print_below(figure: Figure) -> None:
    """Print the text of `small_print` below the figure, which becomes higher."""
    lines = wrap(str(figure.get_label()), figure.get_figwidth() - 0.2)
    figure.set_figheight(figure.get_figheight() + LINE_INCHES * (2 + lines.count("\n")))
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=SMALL, color="#404040", linespacing=1.15)


def legend(figure: Figure, handles: Sequence[Any], beside: bool = False) -> None:
    """Add a legend above the panels, in as many columns as fit; or beside the panels."""
    names = [wrap(handle.get_label(), 1.8) for handle in handles]
    widest = max(inches(line, SMALL) for name in names for line in name.split("\n"))
    columns = 1 if beside else max(1, min(len(names), int((figure.get_figwidth() - 0.1) / (widest + KEY_INCHES))))
    place: Any = "outside right upper" if beside else "outside upper left"
    if not beside:
        rows = ceil(len(names) / columns) + sum(name.count("\n") for name in names)
        figure.set_figheight(figure.get_figheight() + KEY_HEIGHT_INCHES * (rows + 1))
    figure.legend(handles=list(handles), labels=names, loc=place, ncols=columns, handlelength=1.6, columnspacing=1.2)


def decoder_keys(decoders: Iterable[str], **looks: Any) -> list[Any]:
    """Return a legend's key for each of these decoders, as they are drawn; looks: what differs from that."""
    named = {name: look(name) for name in decoders}
    return [Line2D([], [], color=own.colour, marker=own.marker, label=name, **looks) for name, own in named.items()]


def swatch(label: str, **looks: Any) -> Rectangle:
    """Return a legend's key for bars."""
    return Rectangle((0, 0), 1, 1, label=label, **looks)


def colour_bar(figure: Figure, norm: Normalize, colours: str, axes: Sequence[Axes], meaning: str) -> Colorbar:
    """Add a colour bar above the panels, half as wide as the figure; return it."""
    figure.set_figheight(figure.get_figheight() + 0.6)
    bar = figure.colorbar(
        ScalarMappable(norm, colours), ax=axes, location="top", shrink=0.5, aspect=25, anchor=(0, 0), panchor=False
    )
    bar.set_label(meaning)
    bar.ax.minorticks_off()
    return bar
