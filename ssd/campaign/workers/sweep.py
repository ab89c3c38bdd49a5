"""The pool of a sweep: this process submits its runs one after the other, and they finish together."""

from __future__ import annotations

from contextlib import ExitStack

from ssd.campaign.workers.pool import Outcome, Pool
from ssd.config.plan import Plan


class Sweep:
    """Made with the first run, ended by `finish`."""

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
