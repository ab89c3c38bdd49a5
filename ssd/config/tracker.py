"""What a tracker is: somebody who is told of a run when it is done, and keeps it where a team looks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class Tracker(ABC):
    """Made before anything is measured, so that its constructor is where what is missing is told (ValueError)."""

    @abstractmethod
    def log(self, folder: Path) -> str | None:
        """Take the finished run in `folder`, as it is stored; returns where it went, None if it was there before.

        Raises OSError or ValueError in one line; the run itself is safe by then.
        """


def tell(tracker: Tracker | None, folder: Path) -> None:
    """Tell a tracker, if there is one, of a finished run. Raises what `log` raises."""
    place = tracker.log(folder) if tracker else None
    if place:
        print(f"logged: {place}")
