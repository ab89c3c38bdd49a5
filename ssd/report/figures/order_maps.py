"""The order of commitment: the step of each position, and the position that followed each position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from ssd.metrics.decode_order import commitments
from ssd.report.figures.layout import colour_bar, panels, small_print
from ssd.report.figures.selection import fastest, small_print_of
from ssd.report.figures.style import PALE, WIDTH_INCHES, Columns
from ssd.report.groups import Group, Run

if TYPE_CHECKING:
    from ssd.report import Results

COLOURS = "Blues"
MOST_CELLS = 128
"""Longer responses are shown in this many strips of positions."""


class Order(NamedTuple):
    """One side of a run. responses: for each, the step of each position's commitment; -1 without one."""

    title: str
    responses: list[np.ndarray]


def draw_map(results: Results, columns: Columns) -> Figure | None:
    """Return the figure of positions committed in one step, against those committed in the step before.

    Its cells are shares of commitments, without confidences; `decoding_maps` has those. None without stored traces.
    """
    return _draw(
        results, columns, transitions, "from position", "to position", LogNorm(1e-2, 1), "share",
        "Each column: where the position that was committed next lay, over all responses; on the diagonal's upper "
        "neighbour it is the next to the right. Positions that one step committed together share their weight.",
    )  # fmt: skip


def draw_times(results: Results, columns: Columns) -> Figure | None:
    """Return the figure of steps by position; None without stored traces."""
    return _draw(
        results, columns, times, "position", "step", Normalize(0, 1), "share of responses",
        "Share of responses in which a position had been committed by a step.",
    )  # fmt: skip


def transitions(responses: list[np.ndarray]) -> np.ndarray:
    """Return float64 [to, from]: shares of positions committed next after `from`; columns sum to 1, NaN for none."""
    length = max(len(steps) for steps in responses)
    counts = np.zeros((length, length))
    for steps in responses:
        kept = np.unique(steps[steps >= 0])
        sets = [np.flatnonzero(steps == step) for step in kept]
        for before, after in pairwise(sets):
            counts[np.ix_(after, before)] += 1 / (len(before) * len(after))
    counts = _coarser(_coarser(counts).T).T
    totals = counts.sum(axis=0, keepdims=True)
    return np.divide(counts, totals, out=np.full_like(counts, np.nan), where=counts > 0)


def times(responses: list[np.ndarray]) -> np.ndarray:
    """Return float64 [step, position]: the share of responses that had committed a position by a step."""
    length = max(len(steps) for steps in responses)
    last = max(int(steps.max()) for steps in responses)
    done = np.zeros((last + 1, length))
    for steps in responses:
        padded = np.full(length, last + 1)
        padded[: len(steps)] = np.where(steps >= 0, steps, last + 1)
        done += np.arange(last + 1)[:, None] >= padded
    return (_coarser(done.T) / _coarser(np.full((length, 1), len(responses)))).T


def _draw(
    results: Results,
    columns: Columns,
    matrix: Callable[[list[np.ndarray]], np.ndarray],
    across: str,
    up: str,
    norm: Normalize,
    meaning: str,
    told: str,
) -> Figure | None:
    forwards = results.forwards()
    if forwards.empty:
        return None
    traced = {(str(run_id), str(side)): rows for (run_id, side), rows in forwards.groupby(["run_id", "side"])}
    found = [(group, order) for group in results.groups for order in _orders(group, traced)]
    if not found:
        return None
    per_row = min(2 if columns == 1 else 3, len(found))
    figure, axes = panels(
        columns, [order.title for _, order in found], per_row, min(WIDTH_INCHES[columns] / per_row, 2.8)
    )
    for place, (panel, (_, order)) in enumerate(zip(axes, found, strict=True)):
        length = max(len(steps) for steps in order.responses)
        cells = matrix(order.responses)
        extent = (0, length, 0, length if cells.shape[0] == cells.shape[1] else cells.shape[0])
        panel.imshow(cells, norm=norm, cmap=COLOURS, origin="lower", extent=extent, aspect="auto", interpolation="none")
        panel.locator_params(nbins=3, integer=True)
        panel.set_xlabel(across)
        if place % per_row == 0:
            panel.set_ylabel(up)
        panel.spines[:].set_visible(True)
        panel.spines[:].set_color(PALE)
    bar = colour_bar(figure, norm, COLOURS, axes, meaning)
    bar.ax.xaxis.set_major_formatter("{x:g}")
    small_print(figure, told, "n: prompts.", *small_print_of(dict.fromkeys(group for group, _ in found)))
    return figure


def _orders(group: Group, traced: dict[tuple[str, str], pd.DataFrame]) -> Iterator[Order]:
    """Return the orders of the reference and of each decoder that does not claim to be lossless.

    traced: forwards by run and side.
    """
    shown = group.having(lambda run: (run.run_id, "reference") in traced and (run.run_id, "decoder") in traced)
    if not shown.runs:
        return
    first = shown.runs[0]
    yield Order(f"{first.row['compared_with']}: {group.panel_title}", _steps(first, traced[first.run_id, "reference"]))
    for run in fastest(shown):
        if not run.row["claims_lossless"]:
            yield Order(f"{run.name}: {group.panel_title}", _steps(run, traced[run.run_id, "decoder"]))


def _steps(run: Run, forwards: pd.DataFrame) -> list[np.ndarray]:
    length = int(run.row["config.generation.gen_length"])
    found = []
    for _, events in forwards.groupby(["index", "repeat"]):
        events = events.sort_values("forward")
        steps = commitments(zip(events["positions"], events["accepted"], strict=True))
        found.append(np.array([steps.get(position, -1) for position in range(length)]))
    return found


def _coarser(matrix: np.ndarray) -> np.ndarray:
    """Return sums over strips of rows; at most MOST_CELLS strips."""
    strip = -(-len(matrix) // MOST_CELLS)
    return np.add.reduceat(matrix, range(0, len(matrix), strip)) if strip > 1 else matrix
