"""One prompt through reference and decoder, interleaved, timed, compared and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ssd.bench import clock, samples
from ssd.bench.identity import Audit
from ssd.bench.plan import Plan
from ssd.bench.probes import ForwardCounter, ForwardTimer
from ssd.bench.store import RunFolder
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.tasks.prompts import response_text, sha256_of_ids
from ssd.tasks.task import Document, Verdict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Bench:
    """The loaded side of a run."""

    plan: Plan
    folder: RunFolder
    model: MaskedDiffusionModel
    tokenizer: PreTrainedTokenizerBase
    counter: ForwardCounter
    verifier_timer: ForwardTimer | None

    def warm_up(self, longest_prompt: Sequence[int]) -> None:
        """Run both sides on the longest prompt, so that no first-time cost falls into a measurement."""
        for _ in range(self.plan.runtime.warmup):
            for decoder in (self.plan.reference, self.plan.decoder):
                self._decode(decoder, longest_prompt, self.plan.settings)

    def measure(self, document: Document, prompt: list[int], repeat: int) -> dict[str, Any]:
        """One line of samples.jsonl: a prompt's response number `repeat`, whose seed is its own.

        The side that goes first alternates, so that neither profits from the order.
        """
        plan = self.plan
        settings = replace(plan.settings, seed=plan.settings.seed + repeat)
        sides = [("reference", plan.reference), ("decoder", plan.decoder)]
        decoded, latency_s, verifier_s = {}, {}, {}
        if self.verifier_timer:
            self.verifier_timer.take()  # what the warm-up and the last prompt's audit took belongs to no prompt
        for name, decoder in sides if (document.index + repeat) % 2 == 0 else reversed(sides):
            decoded[name], latency_s[name] = self._decode(decoder, prompt, settings)
            verifier_s[name] = self.verifier_timer.take() if self.verifier_timer else 0.0
        peak_memory_mib = clock.peak_memory_mib(self.model.device)  # the audit's own forwards do not count
        audit = Audit(self.model, settings, plan.special, plan.reference.commit)
        divergence = audit.compare(prompt, decoded["reference"], decoded["decoder"], plan.decoder)
        if plan.runtime.traces:
            traces = {name: samples.trace_to_json(side.trace) for name, side in decoded.items()}
            self.folder.write_trace(document.index, repeat, traces)
        texts = {
            name: response_text(self.tokenizer, side.response_ids, plan.special.end_ids)
            for name, side in decoded.items()
        }
        verdicts = self._verdicts(document, texts)
        return {
            "index": document.index,
            "repeat": repeat,
            "seed": settings.seed,
            "prompt_ids": prompt,
            "prompt_sha256": sha256_of_ids(prompt),
            "target": document.target,
            **{
                name: samples.side(
                    side, texts[name], verdicts[name], latency_s[name], verifier_s[name], plan.special.end_ids
                )
                for name, side in decoded.items()
            },
            "identical": divergence is None,
            "same_commit_order": samples.same_order(decoded["reference"], decoded["decoder"]),
            "first_divergence": divergence.to_json() if divergence else None,
            "peak_memory_mib": peak_memory_mib,
        }

    def _decode(self, decoder: Decoder, prompt: Sequence[int], settings: GenerationSettings) -> tuple[Decoded, float]:
        """A timed response whose trace agrees with the forwards that the model itself has counted."""
        before = self.counter.forwards
        decoded, latency_s = clock.timed(
            lambda: decoder.decode(self.model, prompt, settings, self.plan.special), self.model.device
        )
        counted = self.counter.forwards - before
        if counted != decoded.trace.nfe:
            raise RuntimeError(
                f"{type(decoder).__name__} reports {decoded.trace.nfe} forwards, the model counted {counted}; "
                "every forward must leave one event in the trace"
            )
        return decoded, latency_s

    def _verdicts(self, document: Document, texts: dict[str, str]) -> dict[str, Verdict]:
        """Each side's verdict, all from one call; equal texts are judged once."""
        distinct = list(dict.fromkeys(texts.values()))
        judged = self.plan.task.judge([(text, document) for text in distinct])
        verdicts = dict(zip(distinct, judged, strict=True))
        return {name: verdicts[text] for name, text in texts.items()}
