"""Short names for what a title cannot hold: paths, hashes, and states of the code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

import pandas as pd

MARKS = "abcdefghijklmnopqrstuvwxyz"


def short_paths(paths: Iterable[str]) -> dict[str, str]:
    """Return the last parts of each path, as many as all the paths need to differ."""
    parts = {path: PurePath(path).parts for path in paths}
    count = 1
    while len({own[-count:] for own in parts.values()}) < len(parts):
        count += 1
    return {path: "/".join(own[-count:]) for path, own in parts.items()}


def numbers(values: Iterable[str]) -> dict[str, str]:
    """Return the number of each value, from 1 on, in the order of their first appearance."""
    return {value: str(number) for number, value in enumerate(dict.fromkeys(values), start=1)}


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
