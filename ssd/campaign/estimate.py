"""How long a grid will take: from its own responses, from stored runs like its own, or from a measured forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ssd.campaign.planned_run import PlannedRun
from ssd.campaign.stored_times import StoredTimes, alike_seconds, own_seconds

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
FORWARD = "a measured forward, as if each decoder were stepwise decoding"


class Evidence(NamedTuple):
    """What a run's estimate rests on: a source in words, and the stored runs if it is those."""

    source: str
    runs: tuple[str, ...] = ()


@dataclass
class Estimates:
    """Seconds of every run, what they rest on, and why others cannot be told."""

    seconds: list[float | None] = field(default_factory=list)
    evidence: set[Evidence] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """`about 12 minutes (from 3 stored runs)`, or what is not known."""
        if not self.unknown:
            return f"{duration(sum(map(float, self.seconds)))}{self._sources()}"
        reason = self.unknown[0]
        if len(self.unknown) == sum(second != 0 for second in self.seconds):
            return f"not known: {reason}"
        told = duration(sum(second or 0.0 for second in self.seconds))
        runs = f"{len(self.unknown)} run{'s' if len(self.unknown) > 1 else ''}"
        return f"{told}{self._sources()}, and {runs} of which it is not known: {reason}"

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
    """device_name: None where it is not known yet; forward_s: seconds per response from a measured forward; what it
    raises is why a run's time is not known."""
    found = Estimates()
    for run in runs:
        try:
            seconds, evidence = _per_response(run, list(stored), device_name, forward_s)
        except Exception as error:  # a guess that fails must not keep a grid from starting
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


def duration(seconds: float) -> str:
    """In the unit that a reader would choose."""
    if seconds < MINUTE_S:
        return "less than a minute"
    if seconds < 1.5 * HOUR_S:
        minutes = round(seconds / MINUTE_S)
        return "about a minute" if minutes == 1 else f"about {minutes} minutes"
    if seconds < 2 * DAY_S:
        return f"about {seconds / HOUR_S:.1f} hours"
    return f"about {seconds / DAY_S:.1f} days"
