"""How far a run is, or several, and how long they will still take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType


class ProgressBar:
    """A bar of prompts with the time that remains, on standard error, while it is entered."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("prompts"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task("prompts", total=0)
        self._total = 0

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def expect(self, total: int, done: int) -> None:
        """So many prompts more, some of which are done already."""
        self._total += total
        self._bar.update(self._task, total=self._total, advance=done)

    def advance(self) -> None:
        """One prompt is done."""
        self._bar.advance(self._task)


@contextmanager
def progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """The bar of one run; yields what advances it by one prompt."""
    with ProgressBar() as bar:
        bar.expect(total, done)
        yield bar.advance
