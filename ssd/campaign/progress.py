"""The line that is printed before each run of a grid."""

from __future__ import annotations

from collections.abc import Mapping

from ssd.campaign.planned_run import Grid
from ssd.run.progress import duration


def line_before(grid: Grid, number: int, measured_s: Mapping[int, float], in_turn: bool) -> str:
    """Return `run 3 of 15: ssd depth=4 (about 9 minutes left)`.

    measured_s: seconds of finished runs, by number. in_turn: runs follow one another, so their times add up.
    """
    run = grid.runs[number]
    what = f"run {number + 1} of {len(grid.runs)}: {grid.names()[number]}"
    if run.is_done:
        return f"{what}: done already"
    left_s = seconds_left(grid, number, measured_s) if in_turn else None
    return what if left_s is None else f"{what} ({duration(left_s)} left)"


def seconds_left(grid: Grid, number: int, measured_s: Mapping[int, float]) -> float | None:
    """Return seconds for run `number` and later ones. Estimates are scaled by the times of finished runs."""
    coming = [place for place in range(number, len(grid.runs)) if grid.runs[place].left]
    estimates = [second for place in coming if (second := grid.estimates_s[place]) is not None]
    if len(estimates) < len(coming):  # without estimates, measured runs give a mean
        return sum(measured_s.values()) / len(measured_s) * len(coming) if measured_s else None
    foreseen = sum(grid.estimates_s[place] or 0.0 for place in measured_s)
    scale = sum(measured_s.values()) / foreseen if foreseen else 1.0
    return sum(estimates) * scale
