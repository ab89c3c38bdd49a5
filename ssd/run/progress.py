"""Progress bars of a run or of several: how many prompts each phase has done, and the time that remains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

DECODED, AUDITED = "prompts decoded", "prompts audited"
"""Names of a run's two phases."""


class ProgressBar:
    """A bar for each phase, on standard error, while it is entered."""

    def __init__(self, *phases: str) -> None:
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
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._tasks = {phase: self._bar.add_task(phase, start=False, total=0) for phase in phases}
        self._totals = dict.fromkeys(phases, 0)

    def __enter__(self) -> ProgressBar:
        """Prepare the bars; they appear when the first phase begins, so that an earlier error is the only output."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar.live.is_started:
            self._bar.stop()

    def expect(self, phase: str, total: int, done: int) -> None:
        """Add prompts to a phase's total; `done` of them are done already."""
        self._totals[phase] += total
        self._bar.update(self._tasks[phase], total=self._totals[phase], advance=done)

    def advance(self, phase: str, prompts: int = 0) -> None:
        """Count prompts that a phase has done; its clock starts with the first call."""
        if not self._bar.live.is_started:
            self._bar.start()
        self._bar.start_task(self._tasks[phase])
        self._bar.advance(self._tasks[phase], prompts)


@contextmanager
def progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """Show the bar of a task with one phase; yield what advances it by one prompt."""
    with ProgressBar("prompts") as bar:
        bar.expect("prompts", total, done)
        bar.advance("prompts")
        yield lambda: bar.advance("prompts", 1)
