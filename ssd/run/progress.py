"""Progress of a run or of several: what is done now, prompts that each phase has done, and the time that remains."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

DECODED, AUDITED = "prompts decoded", "prompts audited"
"""Names of a run's two phases."""
MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
Tell = Callable[[str], None]


def silent(text: str) -> None:
    """Print nothing."""


@dataclass
class Phase:
    """Counts of a phase. before: prompts that were done when it began; begun_s: reading of the clock then."""

    total: int = 0
    before: int = 0
    done: int = 0
    begun_s: float | None = None

    def left_s(self, now_s: float) -> float | None:
        """Return the seconds that the rest will take; None before the first prompt is done."""
        if not self.done or self.begun_s is None:
            return None
        return (now_s - self.begun_s) / self.done * (self.total - self.before - self.done)


class ProgressBar:
    """A bar for each phase on a terminal, elsewhere one line a minute; on standard error, while it is entered."""

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
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        # Rich forgets samples after this time, and a prompt may take minutes.
        self._bar = Progress(*columns, console=self._console, speed_estimate_period=HOUR_S)
        self._tasks = {phase: self._bar.add_task(phase, start=False, total=0) for phase in phases}
        self._phases = {phase: Phase() for phase in phases}
        self._line_s = time.monotonic() + MINUTE_S

    def __enter__(self) -> ProgressBar:
        """Prepare the bars; they appear when the first phase begins, so that an earlier error is the only output."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar.live.is_started:
            self._bar.stop()

    def tell(self, text: str) -> None:
        """Print a line, above the bars."""
        self._console.print(text)

    def expect(self, phase: str, total: int, done: int) -> None:
        """Add prompts to a phase's total; `done` of them are done already."""
        counts = self._phases[phase]
        counts.total, counts.before = counts.total + total, counts.before + done
        self._bar.update(self._tasks[phase], total=counts.total, advance=done)

    def expect_run(self, total: int, decoded: int, audited: int) -> None:
        """Add the prompts of a run to both phases; print the number of stored responses if there are any."""
        self.expect(DECODED, total, decoded)
        self.expect(AUDITED, total, audited)
        if decoded:
            self.tell(f"resuming: {decoded} of {total} responses are there")

    def advance(self, phase: str, prompts: int = 0) -> None:
        """Count prompts that a phase has done; its clock starts with the first call."""
        counts, now_s = self._phases[phase], time.monotonic()
        if counts.begun_s is None:
            counts.begun_s = now_s
            self._bar.reset(self._tasks[phase], total=counts.total, completed=counts.before)
        counts.done += prompts
        if self._console.is_terminal or self._console.is_jupyter:
            if not self._bar.live.is_started:
                self._bar.start()
            self._bar.advance(self._tasks[phase], prompts)
        elif now_s >= self._line_s:
            left_s = counts.left_s(now_s)
            left = "" if left_s is None else f", {duration(left_s)} left"
            self.tell(f"{phase}: {counts.before + counts.done} of {counts.total}{left}")
            self._line_s = now_s + MINUTE_S


@contextmanager
def progress(total: int, done: int) -> Iterator[Callable[[], None]]:
    """Show the bar of a task with one phase; yield what advances it by one prompt."""
    with ProgressBar("prompts") as bar:
        bar.expect("prompts", total, done)
        bar.advance("prompts")
        yield lambda: bar.advance("prompts", 1)


def duration(seconds: float) -> str:
    """Return `about 12 minutes`, with a unit that suits the number."""
    if seconds < MINUTE_S:
        return "less than a minute"
    if seconds < 1.5 * HOUR_S:
        minutes = round(seconds / MINUTE_S)
        return "about a minute" if minutes == 1 else f"about {minutes} minutes"
    if seconds < 2 * DAY_S:
        return f"about {seconds / HOUR_S:.1f} hours"
    return f"about {seconds / DAY_S:.1f} days"
