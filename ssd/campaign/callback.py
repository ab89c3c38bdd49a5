"""How a grid is told of itself: Hydra calls this before a sweep, around each of its jobs, and after it.

Hydra makes one for every line, single runs included, so that nothing heavy is imported before a sweep begins. It only
warns of what a callback raises; SystemExit is what ends a line.
"""

from __future__ import annotations

import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

if TYPE_CHECKING:
    from ssd.campaign.planned_run import Grid


class GridCallback(Callback):
    """Announces a sweep, counts its runs while they are made, and ends it with a table and a list of failures."""

    def __init__(self) -> None:
        self.grid: Grid | None = None
        self.begun_s = 0.0
        self.reached: set[int] = set()
        self.measured_s: dict[int, float] = {}
        self.failures: dict[int, str] = {}

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        campaign = config.hydra.sweeper.get("params")
        if campaign:
            sys.exit(f"error: this is a campaign over {', '.join(campaign)}; add -m to the line: python run.py -m ...")

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        from ssd.campaign.start import start
        from ssd.run.failures import line_of

        try:
            self.grid = start(config)
        except (ValueError, OSError) as error:
            sys.exit(f"error: {line_of(error)}")

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        number = self.grid and self.grid.jobs[config.hydra.job.num]
        if number is None or number in self.reached:
            return
        from ssd.campaign.progress import line_before

        in_turn = is_in_turn(config.hydra) and self._is_measured_here(number)
        print(line_before(self.grid, number, self.measured_s, in_turn), flush=True)
        self.reached.add(number)
        self.begun_s = time.monotonic()

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        number = self.grid and self.grid.jobs[config.hydra.job.num]
        if number is None:
            return
        if job_return.return_value:
            self.failures[number] = job_return.return_value
        elif number not in self.measured_s | self.failures and self._has_left(number):
            self.measured_s[number] = time.monotonic() - self.begun_s

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        if self.grid is None:
            return
        from ssd.campaign.end import end
        from ssd.run.failures import line_of

        try:
            self._finish_workers()
            is_well = end(self.grid, self.failures)
        except Exception as error:  # Hydra would only warn of it
            traceback.print_exc()
            sys.exit(f"error: {line_of(error)}")
        if not is_well or self.failures:
            sys.exit(1)

    def _has_left(self, number: int) -> bool:
        """Whether a run's job has measured something, by its end."""
        return bool(self.grid.runs[number].left) and self._is_measured_here(number)

    def _is_measured_here(self, number: int) -> bool:
        """Whether a run is over when its job is; workers have it in their queue by then."""
        return self.grid.runs[number].config["runtime"]["workers"] == 0

    def _finish_workers(self) -> None:
        """Wait for the runs that were given to workers."""
        from ssd.campaign.workers.sweep import SWEEP
        from ssd.config.tracker import tell
        from ssd.results.store import run_id
        from ssd.run.failures import line_of

        numbers = {run.run_id: number for number, run in enumerate(self.grid.runs)}
        try:
            outcomes = SWEEP.finish()
        except Exception as error:  # the table tells what is done nevertheless
            traceback.print_exc()
            outcomes = []
            self.failures = dict.fromkeys(numbers.values(), line_of(error)) | self.failures
        for outcome in outcomes:
            number = numbers[run_id(outcome.plan.config)]
            try:
                if outcome.error is not None:
                    raise outcome.error
                tell(outcome.plan.tracker, self.grid.runs[number].folder)
            except Exception as error:
                self.failures[number] = line_of(error)
                print(f"error: {self.failures[number]}", file=sys.stderr)


def is_in_turn(hydra: DictConfig) -> bool:
    """Whether the jobs are made one after the other in this process, by Hydra's own launcher."""
    return hydra.launcher._target_.endswith(".BasicLauncher")
