"""Hydra's callback: it runs before a sweep, around each job, and after the sweep.

Hydra builds it for single runs too, so nothing heavy is imported before a sweep begins. Hydra only warns about a
callback's errors; SystemExit ends the command.
"""

from __future__ import annotations

import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from ssd.paths import RUN

if TYPE_CHECKING:
    from ssd.campaign.planned_run import Grid


class GridCallback(Callback):
    """Announces a sweep, counts its runs, and ends it with a table and a list of failures."""

    def __init__(self) -> None:
        self.grid: Grid | None = None
        self.begun_s = 0.0
        self.reached: set[int] = set()
        self.measured_s: dict[int, float] = {}
        self.failures: dict[int, str] = {}

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        campaign = config.hydra.sweeper.get("params")
        if campaign:
            sys.exit(f"error: this is a campaign over {', '.join(campaign)}; add -m to the line: {RUN} -m ...")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        from ssd.campaign.start import start
        from ssd.campaign.sweep_jobs import task_words
        from ssd.run.failures import line_of

        if task_words:
            config.hydra.overrides.task = list(task_words)  # Hydra makes the jobs from this list, too
        try:
            self.grid = start(config)
        except (ValueError, OSError) as error:
            sys.exit(f"error: {line_of(error)}")

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        number = self._number(config)
        if self.grid is None or number is None or number in self.reached:
            return
        from ssd.campaign.planned_run import line_before

        in_turn = is_in_turn(config.hydra) and _is_measured_here(self.grid, number)
        print(line_before(self.grid, number, self.measured_s, in_turn), flush=True)
        self.reached.add(number)
        self.begun_s = time.monotonic()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        number = self._number(config)
        if self.grid is None or number is None:
            return
        if job_return.return_value:
            self.failures[number] = job_return.return_value
        elif number not in self.measured_s and number not in self.failures and _has_left(self.grid, number):
            self.measured_s[number] = time.monotonic() - self.begun_s

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        if self.grid is None:
            return
        from ssd.campaign.end import end
        from ssd.run.failures import line_of

        try:
            self._finish_workers(self.grid)
            is_well = end(self.grid, self.failures)
        except Exception as error:  # Hydra would only warn about it
            traceback.print_exc()
            sys.exit(f"error: {line_of(error)}")
        if not is_well or self.failures:
            sys.exit(1)

    def _number(self, config: DictConfig) -> int | None:
        """Return the number of a job's run in the grid; None without a grid or a plan."""
        return self.grid.jobs[config.hydra.job.num] if self.grid else None

    def _finish_workers(self, grid: Grid) -> None:
        """Wait for the runs of workers."""
        from ssd.campaign.dispatch import SWEEP
        from ssd.config.tracker import tell
        from ssd.results.run_id import run_id
        from ssd.run.failures import line_of

        numbers = {run.run_id: number for number, run in enumerate(grid.runs)}
        try:
            outcomes = SWEEP.finish()
        except Exception as error:  # the table still shows the finished runs
            traceback.print_exc()
            outcomes = []
            self.failures = dict.fromkeys(numbers.values(), line_of(error)) | self.failures
        for outcome in outcomes:
            number = numbers[run_id(outcome.plan.config)]
            try:
                if outcome.error is not None:
                    raise outcome.error
                tell(outcome.plan.tracker, grid.runs[number].folder)
            except Exception as error:
                self.failures[number] = line_of(error)
                print(f"error: {self.failures[number]}", file=sys.stderr)


def is_in_turn(hydra: DictConfig) -> bool:
    """Return whether Hydra's own launcher makes the jobs, one after the other in this process."""
    return str(hydra.launcher._target_).endswith(".BasicLauncher")


def _has_left(grid: Grid, number: int) -> bool:
    """Return whether a run's job has measured something when it ends."""
    return bool(grid.runs[number].left) and _is_measured_here(grid, number)


def _is_measured_here(grid: Grid, number: int) -> bool:
    """Return whether a run ends with its job. Runs of workers end later."""
    return bool(grid.runs[number].config["runtime"]["workers"] == 0)
