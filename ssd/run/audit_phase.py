"""The second phase of a run: audit and score the stored responses, and make the lines of samples.jsonl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ssd.audit.compare import Audit
from ssd.audit.divergence import same_steps
from ssd.audit.float64 import ExactModel
from ssd.decoding.settings import prompt_in_first_block
from ssd.measure.timing import Question
from ssd.metrics import response as samples
from ssd.metrics.oracle import oracle_nfe
from ssd.results.records import Response, Timed
from ssd.run.decode_phase import stored_cost_model
from ssd.run.loading import Loaded
from ssd.tasks.prompts import response_text
from ssd.tasks.task import Document, Verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class AuditPhase:
    """A loaded run while it audits and scores. Close it: scoring may have started a sandbox."""

    def __init__(self, run: Loaded, tokenizer: PreTrainedTokenizerBase) -> None:
        plan = run.plan
        self._plan, self._tokenizer, self._cost = plan, tokenizer, stored_cost_model(run)
        claims_lossless = bool(plan.config["decoder"]["lossless"]) and plan.decoder.caveat(plan.settings) is None
        self._audit = Audit(
            run.model,
            plan.settings,
            plan.special,
            plan.reference.commit,
            ExactModel(run.model) if claims_lossless else None,  # a lossy decoder's divergences need no float64
            batched=plan.runtime.batch_size > 1,
        )

    def close(self) -> None:
        """End the task's sandbox."""
        self._plan.task.close()

    def line(self, question: Question, response: Response) -> dict[str, Any]:
        """Return the line of samples.jsonl for one question."""
        plan, (document, prompt, repeat), sides = self._plan, question, response.sides
        seed = plan.settings.seed + repeat
        reference, decoded = sides["reference"].decoded, sides["decoder"].decoded
        divergence, order_divergence = self._audit.pair(prompt, seed, reference, decoded, plan.decoder)
        ends = plan.special.end_ids
        settings = plan.settings
        blocks = settings.block_length, prompt_in_first_block(len(prompt), settings.block_length, settings.grid)
        texts = {name: response_text(self._tokenizer, side.decoded.response_ids, ends) for name, side in sides.items()}
        verdicts = self._verdicts(document, texts)
        return {
            "index": document.index,
            "repeat": repeat,
            "turn": response.turn,
            "seed": seed,
            "prompt_ids": prompt,
            "prompt_sha256": response.prompt_sha256,
            "target": document.target,
            **{
                name: samples.side(
                    side, texts[name], verdicts[name], ends, self._predicted_s(name, side, prompt), *blocks
                )
                for name, side in sides.items()
            },
            "identical": divergence is None,
            "same_commit_order": same_steps(reference.trace, decoded.trace),
            "first_divergence": divergence.to_json() if divergence else None,
            "order_divergence": order_divergence.to_json() if order_divergence else None,
            "reference_drift": response.reference_drift,
            "oracle_nfe": oracle_nfe(reference.trace, plan.decoder.most_steps) if plan.decoder.most_steps else None,
            "peak_memory_mib": response.peak_memory_mib,
        }

    def _predicted_s(self, name: str, side: Timed, prompt: Sequence[int]) -> float | None:
        """Return the predicted seconds of a side's forwards; None for another cache mode than the run's own."""
        if self._cost is None or name == "uncached":
            return None
        return self._cost.seconds(side.decoded.trace, len(prompt) + self._plan.settings.gen_length)

    def _verdicts(self, document: Document, texts: dict[str, str]) -> dict[str, Verdict]:
        """Return each side's verdict, all from one call; equal texts are judged once."""
        distinct = list(dict.fromkeys(texts.values()))
        judged = self._plan.task.judge([(text, document) for text in distinct])
        verdicts = dict(zip(distinct, judged, strict=True))
        return {name: verdicts[text] for name, text in texts.items()}
