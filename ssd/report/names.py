"""Short names for values that a title cannot hold: paths and hashes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath


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
