"""Carry runs out: one in this process or by workers, or all runs of a sweep by the same workers."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from ssd.campaign.workers.pool import Outcome, Pool
from ssd.config.plan import Plan
from ssd.run import runner


def run(plan: Plan) -> dict[str, Any]:
    """Carry a plan out, by workers if it asks for them; return the summary. See `ssd.run.runner.run`."""
    if plan.runtime.in_process:
        return runner.run(plan)
    with Pool() as pool:
        pool.submit(plan)
        (outcome,) = pool.finish()
    if outcome.error is not None:
        raise outcome.error
    assert outcome.summary is not None  # or there were an error
    return outcome.summary


class Sweep:
    """The workers of a sweep: started with its first run, ended by `finish`. This process submits the runs in turn."""

    def __init__(self) -> None:
        self._pool: Pool | None = None
        self._held = ExitStack()

    def submit(self, plan: Plan) -> None:
        """See `Pool.submit`."""
        self._pool = self._pool or self._held.enter_context(Pool())
        self._pool.submit(plan)

    def finish(self) -> list[Outcome]:
        """Wait for all runs, end the workers, and return how each run ended; [] if none was submitted."""
        if self._pool is None:
            return []
        try:
            return self._pool.finish()
        finally:
            self.close()

    def close(self) -> None:
        """End the workers and their progress bar; unfinished runs can be resumed."""
        self._pool = None
        self._held.close()


SWEEP = Sweep()
"""The sweep of this process."""
