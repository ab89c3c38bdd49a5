"""Decode and time responses of reference and decoder: interleaved one by one, or in batches that take turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import NamedTuple, Protocol

from ssd.config.runtime import Runtime
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import clock
from ssd.measure.batching import ContinuousBatcher
from ssd.measure.instrumentation import ForwardCounter, ForwardTimer, check_count
from ssd.modeling.forwards import DiffusionModel
from ssd.results.records import Timed
from ssd.tasks.task import Document


class Comparable(Protocol):
    """What a stopwatch needs to know: a run's plan, or a comparison in a notebook."""

    @property
    def decoder(self) -> Decoder: ...

    @property
    def reference(self) -> Decoder: ...

    @property
    def settings(self) -> GenerationSettings: ...

    @property
    def special(self) -> SpecialTokens: ...

    @property
    def runtime(self) -> Runtime: ...


class Question(NamedTuple):
    """Subject of one line of samples.jsonl: a document, its prompt ids, and the number of the response to it."""

    document: Document
    prompt: list[int]
    repeat: int

    @property
    def place(self) -> tuple[int, int]:
        """Index of the document and number of the response."""
        return self.document.index, self.repeat


Known = Mapping[str, Timed]
"""Stored responses to a question, by side: these are not decoded again."""


@dataclass(frozen=True)
class Stopwatch:
    """Decodes and times every side of a plan."""

    plan: Comparable
    model: DiffusionModel
    counter: ForwardCounter
    model_timer: ForwardTimer
    verifier_timer: ForwardTimer | None
    turns: Iterator[int] = field(default_factory=count)

    @classmethod
    def of(cls, plan: Comparable, model: DiffusionModel) -> Stopwatch:
        """Return a stopwatch with hooks on the model, and on the decoder's verifier if it has one."""
        transformer, verifier = model.transformer, plan.decoder.verifier
        timer = ForwardTimer(model.device, transformer, transformer.head)
        return cls(
            plan,
            model,
            ForwardCounter(transformer),
            timer,
            ForwardTimer(model.device, verifier) if verifier else None,
        )

    def close(self) -> None:
        """Stop watching, so that the model can be another run's."""
        for instrument in (self.counter, self.model_timer, self.verifier_timer):
            if instrument:
                instrument.remove()

    def warm_up(self, longest: Question) -> None:
        """Run all sides on the longest prompt, so that no first-time cost falls into a measurement."""
        for _ in range(self.plan.runtime.warmup):
            for name, side in self.sides(longest.repeat).items():
                if self.plan.runtime.batch_size == 1:
                    self._alone(*side, longest.prompt)
                else:
                    self._batch(name, [longest] * self.plan.runtime.batch_size)

    def sides(self, repeat: int) -> dict[str, tuple[Decoder, GenerationSettings]]:
        """Return decoder and settings of every side: reference, decoder, and in a chain the uncached reference."""
        plan = self.plan
        settings = replace(plan.settings, seed=plan.settings.seed + repeat)
        sides = {"reference": (plan.reference, settings), "decoder": (plan.decoder, settings)}
        if plan.runtime.reference == "chain":
            sides["uncached"] = (plan.reference, settings.with_cache("none"))
        return sides

    def decode(self, questions: Sequence[Question], known: Sequence[Known]) -> list[dict[str, Timed]]:
        """Return every question's responses by side; `known` ones are not decoded again.

        A batch is decoded in one turn. Sides take turns at going first, so that none profits from it.
        """
        if self.plan.runtime.batch_size == 1:
            found = [self._one(*pair) for pair in zip(questions, known, strict=True)]
        else:
            found = [dict(responses) for responses in known]
            for name in self._order(next(self.turns), questions[0].repeat):
                places = [place for place, responses in enumerate(known) if name not in responses]
                batch = self._batch(name, [questions[place] for place in places]) if places else []
                for place, timed in zip(places, batch, strict=True):
                    found[place][name] = timed
        if self.plan.runtime.timing:
            return found
        return [{name: timed.untimed() for name, timed in responses.items()} for responses in found]

    def _one(self, question: Question, known: Known) -> dict[str, Timed]:
        sides = self.sides(question.repeat)
        order = self._order(question.document.index + question.repeat, question.repeat)
        self._taken()  # the warm-up's seconds belong to no prompt
        return {name: known.get(name) or self._alone(*sides[name], question.prompt) for name in order}

    def _order(self, turn: int, repeat: int) -> list[str]:
        names = list(self.sides(repeat))
        first = turn % len(names)
        return names[first:] + names[:first]

    def _alone(self, decoder: Decoder, settings: GenerationSettings, prompt: Sequence[int]) -> Timed:
        before = self.counter.forwards
        decoded, latency_s = clock.timed(
            lambda: decoder.decode(self.model, prompt, settings, self.plan.special), self.model.device
        )
        counted = self.counter.forwards - before
        check_count(decoder, decoded.trace.nfe, counted)
        verifier_s, model_s = self._taken()
        return Timed(decoded, latency_s, latency_s, verifier_s, model_s, float(counted))

    def _taken(self) -> tuple[float, float]:
        """Return seconds in the verifier's and in the model's forwards since the last call."""
        return self.verifier_timer.take() if self.verifier_timer else 0.0, self.model_timer.take()

    def _batch(self, name: str, questions: Sequence[Question]) -> list[Timed]:
        """Return one side's responses to all questions, decoded `runtime.batch_size` at a time."""
        before, jobs = self.counter.forwards, []
        for question in questions:
            decoder, settings = self.sides(question.repeat)[name]
            # Each thread has its own decoder object, which shares what the decoder has loaded.
            decode = partial(copy(decoder).decode, prompt_ids=question.prompt, settings=settings)
            jobs.append(partial(decode, special=self.plan.special))
        shares = ContinuousBatcher(self.model).run(jobs, self.plan.runtime.batch_size)
        self._taken()  # no response has forwards of its own
        shared = round(sum(share.forwards for share in shares))
        check_count(decoder, shared, self.counter.forwards - before)
        return [Timed(share.result, share.latency_s, share.time_s, 0.0, None, share.forwards) for share in shares]
