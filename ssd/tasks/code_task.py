"""Tasks whose responses are programs, scored by tests in the sandbox."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ssd.sandbox.program import Limits, Outcome, Program
from ssd.sandbox.reference import objection
from ssd.sandbox.sandbox import Sandbox
from ssd.tasks.extraction.responses import too_long
from ssd.tasks.task import Document, Task, Verdict, require_count, require_flag

MOST_WORKERS = 256
"""Limit of the judges. Each is a process and starts one more."""
NO_PROGRAM = "no program"
"""The reason for a response that defines no function of the tests."""


@dataclass(frozen=True)
class CodeDocument(Document):
    """A question whose answer is a program. `target` contains the tests."""

    names: tuple[str, ...]
    """The names that the tests take from the program."""
    setup: str = ""
    """Statements that run before the tests."""
    trusted: str = ""
    """Statements that run before anything else."""

    def check(self, place: str) -> None:
        """Raise ValueError if the sandbox cannot run the tests; `place` is the document's file and line."""
        if not self.names:
            raise ValueError(f"{place}: its tests use nothing that its solution defines; correct them, or leave it out")
        for part, source in (("prompt", self.trusted), ("set-up", self.setup), ("test code", self.target)):
            found = objection(source, self.names)
            if found:
                raise ValueError(f"{place}: its {part} {found}; correct it, or leave it out")

    def program(self, source: str) -> Program:
        return Program(source, self.target, self.names, self.setup, self.trusted)


class CodeTask(Task[CodeDocument]):
    """A task whose responses contain programs. `workers` judges run them in parallel."""

    def __init__(
        self, name: str, num_fewshot: int, chat: bool, workers: int, time_limit_s: float, allow_unsafe_code: bool
    ) -> None:
        super().__init__(name, num_fewshot, chat)
        self.workers = require_count("task.workers", workers, least=1)
        if workers > MOST_WORKERS:
            raise ValueError(
                f"task.workers is {workers}; expected {MOST_WORKERS} programs at a time at most; pass task.workers=N "
                "with the number of this machine's cores"
            )
        self.allow_unsafe_code = require_flag("task.allow_unsafe_code", allow_unsafe_code)
        if isinstance(time_limit_s, bool) or not isinstance(time_limit_s, int | float) or not 0 < time_limit_s < 1e6:
            raise ValueError(
                f"task.time_limit_s is {time_limit_s!r}; expected seconds per program, above 0; pass "
                "task.time_limit_s=10"
            )
        self.limits = Limits(wall_s=time_limit_s, cpu_s=math.ceil(time_limit_s))
        self._sandbox: Sandbox | None = None

    @abstractmethod
    def extract(self, text: str, document: CodeDocument) -> str | None:
        """Return the program of a response, or None if it defines no function of the tests."""

    def verdict(self, text: str, document: CodeDocument) -> Verdict:
        (verdict,) = self.judge([(text, document)])
        return verdict

    def judge(self, responses: Sequence[tuple[str, CodeDocument]]) -> list[Verdict]:
        lengths = [too_long(text) for text, _ in responses]
        sources = [
            self.extract(text, document) if length is None else None
            for (text, document), length in zip(responses, lengths, strict=True)
        ]
        found = {place: source for place, source in enumerate(sources) if source is not None}
        programs = [responses[place][1].program(source) for place, source in found.items()]
        verdicts = [
            Verdict(None, False, NO_PROGRAM if length is None else f"{NO_PROGRAM}: {length}") for length in lengths
        ]
        for (place, source), outcome in zip(found.items(), self._started().run(programs), strict=True):
            verdicts[place] = Verdict(source, outcome.passed, _reason(outcome))
        return verdicts

    def rehearse(self, document: CodeDocument) -> None:
        verdict = self.verdict(document.solution, document)
        if not verdict.correct:
            raise ValueError(
                f"{self.name}: the data set's own solution of document {document.index} is judged wrong "
                f"({verdict.reason}); expected passed; correct the data set, or raise task.time_limit_s"
            )

    def protection(self) -> str:
        return self._started().describe()

    def close(self) -> None:
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def _started(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = Sandbox(self.workers, self.limits, self.allow_unsafe_code)
        return self._sandbox


def _reason(outcome: Outcome) -> str:
    return f"{outcome.reason}: {outcome.detail}" if outcome.detail else str(outcome.reason)
