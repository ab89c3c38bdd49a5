"""What a drawn figure looks like, by measurement: where its texts lie, how large they are, whether any is cut off."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SMALLEST = 7.0
SLACK = 1.0
"""Pixels that two boxes may share, and that one may stick out."""


def faults(figure: Figure) -> list[str]:
    """Texts that overlap, are cut off or too small, and anything that reaches beyond the figure."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    boxes = [(text, text.get_window_extent(renderer)) for text in texts(figure)]
    found = [
        f"{text.get_text()!r} is {text.get_fontsize()} points" for text, _ in boxes if text.get_fontsize() < SMALLEST
    ]
    found += [f"{text.get_text()!r} is cut off" for text, box in boxes if not _inside(box, figure.bbox)]
    found += [
        f"{one.get_text()!r} overlaps {other.get_text()!r}"
        for (one, left), (other, right) in combinations(boxes, 2)
        if _overlap(left, right)
    ]
    whole = figure.get_tightbbox(renderer).transformed(figure.dpi_scale_trans)
    return found + ([] if _inside(whole, figure.bbox) else ["something reaches beyond the figure"])


def texts(figure: Figure) -> list[Text]:
    """Every text that is drawn."""
    parts = [figure, *figure.subfigs]
    found = [text for part in parts for text in part.texts]
    found += [text for part in parts for legend in part.legends for text in legend.get_texts()]
    for axes in figure.axes:
        if axes.get_visible():
            found += [child for child in axes.get_children() if isinstance(child, Text)]
            found += _axis_texts(axes)
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def _axis_texts(axes: Axes) -> list[Text]:
    found = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        margin = 1e-6 * (high - low)
        ticks = [tick for tick in axis.get_major_ticks() if low - margin <= tick.get_loc() <= high + margin]
        found += [axis.label, axis.get_offset_text()]
        found += [label for tick in ticks for label in (tick.label1, tick.label2)]
    return found


def _inside(box: Bbox, page: Bbox) -> bool:
    return (
        box.x0 >= page.x0 - SLACK
        and box.y0 >= page.y0 - SLACK
        and box.x1 <= page.x1 + SLACK
        and box.y1 <= page.y1 + SLACK
    )


def _overlap(left: Bbox, right: Bbox) -> bool:
    shared = Bbox.intersection(left, right)
    return shared is not None and shared.width > SLACK and shared.height > SLACK
