"""Interface of experiment trackers: each logs a finished run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path


class Tracker(ABC):
    """Built before anything is measured. Its constructor raises ValueError for a missing library or option."""

    @abstractmethod
    def log(self, folder: Path) -> str | None:
        """Log the stored run in `folder`. Return the place of the log, or None if the run was logged before.

        Raises OSError or ValueError in one line. The run itself is already stored.
        """


def tell(tracker: Tracker | None, folder: Path) -> None:
    """Log a finished run, if there is a tracker. Raises the errors of `Tracker.log`."""
    place = tracker.log(folder) if tracker else None
    if place:
        print(f"logged: {place}")
