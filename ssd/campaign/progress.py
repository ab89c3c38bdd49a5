"""The line before each run of a grid."""

from __future__ import annotations

from collections.abc import Mapping

from ssd.campaign.estimate import duration
from ssd.campaign.planned_run import Grid


def line_before(grid: Grid, number: int, measured_s: Mapping[int, float], in_turn: bool) -> str:
    """`run 3 of 15: ssd depth=4 (about 9 minutes left)`.

    measured_s: seconds that runs of this grid took; in_turn: they are made one after the other, so that time adds up.
    """
    run = grid.runs[number]
    what = f"run {number + 1} of {len(grid.runs)}: {grid.names()[number]}"
    if run.is_done:
        return f"{what}: done already"
    left_s = seconds_left(grid, number, measured_s) if in_turn else None
    return what if left_s is None else f"{what} ({duration(left_s)} left)"


def seconds_left(grid: Grid, number: int, measured_s: Mapping[int, float]) -> float | None:
    """Seconds for run `number` and those after it; estimates are scaled by what runs before it took."""
    coming = [place for place in range(number, len(grid.runs)) if grid.runs[place].left]
    estimates = [grid.estimates_s[place] for place in coming]
    if None in estimates:  # nothing was known before; what was measured meanwhile is
        return sum(measured_s.values()) / len(measured_s) * len(coming) if measured_s else None
    foreseen = sum(grid.estimates_s[place] or 0.0 for place in measured_s)
    scale = sum(measured_s.values()) / foreseen if foreseen else 1.0
    return sum(estimates) * scale
