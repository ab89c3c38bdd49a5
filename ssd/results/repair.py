"""`repair=true`: take damaged lines out of samples.jsonl and responses.jsonl."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ssd.results.atomic_io import storing
from ssd.results.reader import UNREADABLE


def drop_damaged(file: Path, place: Callable[[bytes], object]) -> None:
    """Take damaged lines, and lines of a place that an earlier line has, out of a file; print their numbers.

    place: returns the place of a line, or raises one of UNREADABLE.
    """
    if not file.is_file():
        return
    partial = file.with_name(file.name + ".partial")
    places: set[object] = set()
    dropped: list[int] = []
    with storing(file), file.open("rb") as lines, partial.open("wb") as kept:
        for number, line in enumerate(lines, start=1):
            try:
                found = place(line) if line.endswith(b"\n") else None
            except UNREADABLE:
                found = None
            if found is None or found in places:
                dropped.append(number)
            else:
                places.add(found)
                kept.write(line)
        kept.flush()
        os.fsync(kept.fileno())
    if dropped:
        partial.replace(file)
        print(f"{file}: dropped line{'s' * (len(dropped) > 1)} {', '.join(map(str, dropped))}")
    else:
        partial.unlink()
