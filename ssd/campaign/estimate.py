"""Estimate the time of a grid: from its own responses, from similar stored runs, or from a measured forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ssd.campaign.planned_run import PlannedRun
from ssd.campaign.stored_times import StoredTimes, alike_seconds, own_seconds
from ssd.run.progress import duration

FORWARD = "a measured forward, as if each decoder were stepwise decoding"


class Evidence(NamedTuple):
    """Source of an estimate, in words; `runs` are the ids of stored runs, if it comes from those."""

    source: str
    runs: tuple[str, ...] = ()


@dataclass
class Estimates:
    """Seconds of every run (None: unknown), their sources, and the reasons for unknown ones."""

    seconds: list[float | None] = field(default_factory=list)
    evidence: set[Evidence] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """Return `about 12 minutes (from 3 stored runs)`, or why the time is unknown."""
        if not self.unknown:
            return f"{duration(sum(second or 0.0 for second in self.seconds))}{self._sources()}"
        reason = "; ".join(dict.fromkeys(self.unknown))
        if len(self.unknown) == sum(second != 0 for second in self.seconds):
            return f"not known: {reason}"
        known = duration(sum(second or 0.0 for second in self.seconds))
        runs = f"{len(self.unknown)} run{'s' if len(self.unknown) > 1 else ''}"
        return f"{known}{self._sources()}, and {runs} of unknown time: {reason}"

    def _sources(self) -> str:
        runs = {run for evidence in self.evidence for run in evidence.runs}
        sources = sorted(evidence.source for evidence in self.evidence if not evidence.runs)
        if runs:
            sources.insert(0, f"{len(runs)} stored run{'s' if len(runs) > 1 else ''}")
        return f" (from {' and '.join(sources)})" if sources else ""


def estimate(
    runs: Sequence[PlannedRun],
    stored: Sequence[StoredTimes],
    device_name: str | None,
    forward_s: Callable[[PlannedRun], float],
) -> Estimates:
    """Return the estimates of the runs.

    device_name: None if it is not known yet. forward_s: seconds per response from a measured forward; its error is the
    reason for an unknown time.
    """
    found = Estimates()
    for run in runs:
        try:
            seconds, evidence = _per_response(run, list(stored), device_name, forward_s)
        except Exception as error:  # a failed estimate must not stop a grid
            found.unknown.append(str(error).partition("\n")[0] or type(error).__name__)
            found.seconds.append(None)
        else:
            found.seconds.append(run.left * seconds)
            found.evidence |= {evidence} if run.left else set()
    return found


def _per_response(
    run: PlannedRun,
    stored: list[StoredTimes],
    device_name: str | None,
    forward_s: Callable[[PlannedRun], float],
) -> tuple[float, Evidence]:
    if not run.left:
        return 0.0, Evidence("nothing")
    own = own_seconds(run)
    if own is not None:
        return own, Evidence("own responses")
    alike = alike_seconds(run, stored, device_name)
    if alike is not None:
        return alike[0], Evidence("stored runs", tuple(alike[1]))
    return forward_s(run), Evidence(FORWARD)
