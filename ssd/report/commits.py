"""Marks of the states of the code that runs were measured with."""

from __future__ import annotations

from typing import Any

import pandas as pd

MARKS = "abcdefghijklmnopqrstuvwxyz"


def commits(runs: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """Return each run's letter for its state of the code, and the meaning of each letter."""
    names = ("environment.commit", "environment.changes")
    states = [tuple(row.get(name) for name in names) for _, row in runs.iterrows()]
    marks: dict[Any, str] = {}
    for state in states:
        marks.setdefault(state, _letters(len(marks)))
    notes = {
        mark: f"commit {str(commit or 'unknown')[:7]}"
        + (f" with uncommitted changes ({changes[:7]})" if changes else "")
        for (commit, changes), mark in marks.items()
    }
    return [marks[state] for state in states], notes


def _letters(number: int) -> str:
    return MARKS[number] if number < len(MARKS) else MARKS[number // len(MARKS) - 1] + MARKS[number % len(MARKS)]
