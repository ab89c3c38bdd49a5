"""The first phase of a run: decode and time every prompt. Nothing is audited or scored meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ssd.measure import clock
from ssd.measure.cost.model import CostModel, nodes_made, reaches_made
from ssd.measure.engines import capture_all, capture_s, most_nodes_of
from ssd.measure.timing import Known, Question, Stopwatch
from ssd.metrics.response import trace_to_json
from ssd.results.records import Response
from ssd.run.loading import Loaded
from ssd.run.progress import Tell, silent
from ssd.tasks.prompts import sha256_of_ids

BUDGET_S = 4.0
"""Seconds for the cost of forwards, about."""


class Found(NamedTuple):
    """Result of decoding one question.

    traces: every side's forwards with their drafted nodes, None unless `runtime.traces`; decoded: names of the sides
    that were decoded now, and not known before.
    """

    question: Question
    response: Response
    traces: dict[str, Any] | None
    decoded: tuple[str, ...]


@dataclass(frozen=True)
class DecodePhase:
    """A loaded run while it decodes. Close it, since its hooks watch the model."""

    run: Loaded
    stopwatch: Stopwatch
    cost: CostModel | None

    @classmethod
    def open(cls, run: Loaded, tell: Tell = silent) -> DecodePhase:
        """Return the phase; a timed run has captured its forwards and is warmed up. tell: prints what takes time."""
        plan, start, model = run
        stopwatch = Stopwatch.of(plan, model)
        try:
            if plan.runtime.timing:
                if plan.runtime.engine != "eager":
                    tell(f"capturing forwards (runtime.engine={plan.runtime.engine})")
                    most_nodes = most_nodes_of(plan.reference, plan.decoder)
                    lookahead = plan.decoder.lookahead(plan.settings)
                    capture_all(model, plan.settings, plan.special, start.lengths, most_nodes, lookahead)
                stopwatch.warm_up(start.longest)
            return cls(run, stopwatch, _cost_model(run, tell))
        except BaseException:
            stopwatch.close()
            raise

    def close(self) -> None:
        """Stop watching the model."""
        self.stopwatch.close()

    def measured(self) -> dict[str, Any]:
        """Return the contents of measured.json: the decoder's measurements, and the costs of forwards."""
        forwards = self.cost.to_json() if self.cost else None
        return {**self.run.plan.decoder.measured(), "forwards": forwards, "compile_s": capture_s(self.run.model)}

    def decode(self, questions: Sequence[Question], known: Sequence[Known]) -> list[Found]:
        """Decode every question; `known` holds the responses to each that need not be decoded again."""
        plan, device = self.run.plan, self.run.model.device
        clock.reset_peak_memory(device)  # cost measurements do not count
        responses = self.stopwatch.decode(questions, known)
        peak_memory_mib = clock.peak_memory_mib(device) if plan.runtime.timing else None
        turn = questions[0].document.index  # the responses of one batch were slowed down together
        return [
            Found(
                question,
                Response(*question.place, sha256_of_ids(question.prompt), turn, peak_memory_mib, False, sides),
                {name: trace_to_json(side.decoded.trace) for name, side in sides.items()}
                if plan.runtime.traces
                else None,
                tuple(name for name in sides if name not in before),
            )
            for question, sides, before in zip(questions, responses, known, strict=True)
        ]


def _cost_model(run: Loaded, tell: Tell) -> CostModel | None:
    """Return what the run's forwards cost, measured now unless stored; None if nothing is predicted."""
    plan, start, model = run
    if plan.predicts and not start.measured.get("forwards"):
        tell(f"timing forwards ({BUDGET_S:.0f} s)")
        nodes, reaches = nodes_made(plan.decoder, plan.settings, model), reaches_made(plan.decoder, plan.settings)
        lengths = list(start.lengths)
        return CostModel.measure(model, plan.settings, plan.special, lengths, nodes, BUDGET_S, reaches=reaches)
    return stored_cost_model(run)


def stored_cost_model(run: Loaded) -> CostModel | None:
    """Return what the run's forwards cost as stored in measured.json; None if nothing is predicted."""
    forwards = run.start.measured.get("forwards")
    return CostModel.from_json(forwards) if run.plan.predicts and forwards else None
