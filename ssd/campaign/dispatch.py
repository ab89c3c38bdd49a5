"""Carry a run out in this process, or by workers."""

from __future__ import annotations

from typing import Any

from ssd.config.plan import Plan
from ssd.run import runner


def run(plan: Plan) -> dict[str, Any]:
    """Carry a plan out, by workers if it asks for them; return the summary. See `ssd.run.runner.run`."""
    if plan.runtime.in_process:
        return runner.run(plan)
    from ssd.campaign.workers.pool import Pool

    with Pool() as pool:
        pool.submit(plan)
        (outcome,) = pool.finish()
    if outcome.error is not None:
        raise outcome.error
    assert outcome.summary is not None  # or there were an error
    return outcome.summary
