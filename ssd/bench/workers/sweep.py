"""The pool of a sweep whose runs are submitted one after the other by this process, and finished together."""

from __future__ import annotations

from ssd.bench.plan import Plan
from ssd.bench.workers.pool import Outcome, Pool


class Sweep:
    """Made with the first run, ended by `finish`."""

    def __init__(self) -> None:
        self._pool: Pool | None = None

    def submit(self, plan: Plan) -> None:
        """See `Pool.submit`."""
        self._pool = self._pool or Pool()
        self._pool.submit(plan)

    def finish(self) -> list[Outcome]:
        """Wait for all runs, end the workers, and return how each run ended; nothing if none was submitted."""
        if self._pool is None:
            return []
        pool, self._pool = self._pool, None
        with pool:
            return pool.finish()


SWEEP = Sweep()
"""The one of this process."""
