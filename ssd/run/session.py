"""Lines of samples.jsonl: prompts through reference and decoder, timed, compared and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ssd.audit.compare import Audit
from ssd.audit.divergence import same_steps
from ssd.audit.float64 import ExactModel
from ssd.config.plan import Plan
from ssd.measure import clock
from ssd.measure.cost.model import CostModel
from ssd.measure.engines import capture_s
from ssd.measure.timing import Known, Question, Stopwatch
from ssd.metrics import response as samples
from ssd.metrics.oracle import oracle_nfe
from ssd.modeling.forwards import DiffusionModel
from ssd.results.records import Timed
from ssd.tasks.prompts import response_text, sha256_of_ids
from ssd.tasks.task import Document, Verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Measured(NamedTuple):
    """What one question gave: a line of samples.jsonl, every side's forwards if they are to be stored, and responses
    of the reference, by side, that were not known before."""

    line: dict[str, Any]
    traces: dict[str, Any] | None
    references: dict[str, Timed]


@dataclass(frozen=True)
class Bench:
    """The loaded side of a run."""

    plan: Plan
    model: DiffusionModel
    tokenizer: PreTrainedTokenizerBase
    stopwatch: Stopwatch
    cost: CostModel | None

    @cached_property
    def exact(self) -> ExactModel:
        return ExactModel(self.model)

    @property
    def claims_lossless(self) -> bool:
        """As the run's summary will say it."""
        return bool(self.plan.config["decoder"]["lossless"]) and self.plan.decoder.caveat(self.plan.settings) is None

    def close(self) -> None:
        """Stop watching the model."""
        self.stopwatch.close()

    def measured(self) -> dict[str, Any]:
        """What is to be kept for a resumed run: the decoder's own measurements, and what forwards cost."""
        forwards = self.cost.to_json() if self.cost else None
        return {**self.plan.decoder.measured(), "forwards": forwards, "compile_s": capture_s(self.model)}

    def measure(self, questions: Sequence[Question], known: Sequence[Known]) -> list[Measured]:
        """One line of samples.jsonl for every question; known: what has been decoded of each before."""
        clock.reset_peak_memory(self.model.device)  # neither costs measured nor the last audit's forwards count
        responses = self.stopwatch.decode(questions, known)
        peak_memory_mib = self.exact.peak_without_mib() if self.plan.runtime.timing else None
        turn = questions[0].document.index  # of what was decoded together: what slowed one down slowed all
        return [
            Measured(
                self._line(question, timed, turn, peak_memory_mib),
                self._traces(timed) if self.plan.runtime.traces else None,
                {side: timed[side] for side in timed if side != "decoder" and side not in before},
            )
            for question, timed, before in zip(questions, responses, known, strict=True)
        ]

    def _traces(self, timed: dict[str, Timed]) -> dict[str, Any]:
        return {name: samples.trace_to_json(side.decoded.trace) for name, side in timed.items()}

    def _line(
        self, question: Question, timed: dict[str, Timed], turn: int, peak_memory_mib: float | None
    ) -> dict[str, Any]:
        plan, (document, prompt, repeat) = self.plan, question
        _, settings = self.stopwatch.sides(repeat)["decoder"]
        reference, decoded = timed["reference"].decoded, timed["decoder"].decoded
        batched = plan.runtime.batch_size > 1
        exact = self.exact if self.claims_lossless else None  # float64 has nothing to say of what is lossy anyway
        audit = Audit(self.model, settings, plan.special, plan.reference.commit, exact, batched)
        compared = (prompt, reference, decoded, plan.decoder)
        divergence = audit.compare(*compared)
        order_divergence = None if divergence else audit.compare_order(*compared)
        ends = plan.special.end_ids
        texts = {name: response_text(self.tokenizer, side.decoded.response_ids, ends) for name, side in timed.items()}
        verdicts = self._verdicts(document, texts)
        return {
            "index": document.index,
            "repeat": repeat,
            "turn": turn,
            "seed": settings.seed,
            "prompt_ids": prompt,
            "prompt_sha256": sha256_of_ids(prompt),
            "target": document.target,
            **{
                name: samples.side(side, texts[name], verdicts[name], ends, self._predicted_s(name, side, prompt))
                for name, side in timed.items()
            },
            "identical": divergence is None,
            "same_commit_order": same_steps(reference.trace, decoded.trace),
            "first_divergence": divergence.to_json() if divergence else None,
            "order_divergence": order_divergence.to_json() if order_divergence else None,
            "reference_drift": False,  # unless a store of references knows better
            "oracle_nfe": oracle_nfe(reference.trace, plan.decoder.most_steps) if plan.decoder.most_steps else None,
            "peak_memory_mib": peak_memory_mib,
        }

    def _predicted_s(self, name: str, side: Timed, prompt: Sequence[int]) -> float | None:
        """What a side's forwards should take; the cost model knows the windows of the run's own cache mode."""
        if self.cost is None or name == "uncached":
            return None
        return self.cost.seconds(side.decoded.trace, len(prompt) + self.plan.settings.gen_length)

    def _verdicts(self, document: Document, texts: dict[str, str]) -> dict[str, Verdict]:
        """Each side's verdict, all from one call; equal texts are judged once."""
        distinct = list(dict.fromkeys(texts.values()))
        judged = self.plan.task.judge([(text, document) for text in distinct])
        verdicts = dict(zip(distinct, judged, strict=True))
        return {name: verdicts[text] for name, text in texts.items()}
