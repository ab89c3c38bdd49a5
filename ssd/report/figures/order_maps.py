"""The order of commitment: the step of each position, and the position that followed each position."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from ssd.metrics.decode_order import commitments
from ssd.report.figures.layout import colour_bar, maps, small_print
from ssd.report.figures.selection import sides, small_print_of
from ssd.report.figures.style import Columns
from ssd.report.groups import Run
from ssd.report.results import Results

COLOURS = "Blues"
MOST_CELLS = 128
"""Longer responses are shown in this many strips of positions."""


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
    """Return the figure of the references, and of the decoders that do not claim to be lossless."""
    forwards = results.forwards()
    if forwards.empty:
        return None
    traced = {(str(run_id), str(side)): rows for (run_id, side), rows in forwards.groupby(["run_id", "side"])}
    found = [
        (group, run, side)
        for group in results.groups
        for run, side in sides(group, traced)
        if side == "reference" or not run.row["claims_lossless"]
    ]
    if not found:
        return None
    names = [run.row["compared_with"] if side == "reference" else run.name for _, run, side in found]
    titles = [f"{name}: {group.panel_title}" for name, (group, *_) in zip(names, found, strict=True)]
    figure, axes = maps(columns, titles, across, up)
    for panel, (_, run, side) in zip(axes, found, strict=True):
        responses = _steps(run, traced[run.run_id, side])
        length, cells = max(len(steps) for steps in responses), matrix(responses)
        extent = (0, length, 0, length if cells.shape[0] == cells.shape[1] else cells.shape[0])
        panel.imshow(cells, norm=norm, cmap=COLOURS, origin="lower", extent=extent, aspect="auto", interpolation="none")
    bar = colour_bar(figure, norm, COLOURS, axes, meaning)
    bar.ax.xaxis.set_major_formatter("{x:g}")
    small_print(figure, told, "n: prompts.", *small_print_of(group for group, *_ in found))
    return figure


def _steps(run: Run, forwards: pd.DataFrame) -> list[np.ndarray]:
    """Return for each response the step of each position's commitment; -1 without one."""
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
