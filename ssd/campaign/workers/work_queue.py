"""The queue of pieces of work, and which of them a worker is sent next."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ssd.measure.timing import Question
from ssd.run.job import Job

Phase = Literal["decode", "audit"]
DONE: dict[Phase, str] = {"decode": "decoded", "audit": "audited"}


@dataclass(eq=False)
class QueuedRun:
    """An open run: its waiting pieces, and how many questions of its present phase are left.

    number: its place among all runs; assignment: what every piece of it is sent with; measured: contents of
    measured.json, None until its first worker has answered; is_exclusive: whether nothing else may be decoded while its
    pieces are, because they are timed and cores are shared; waits: see `Worker.decode`.
    """

    number: int
    job: Job
    assignment: Any
    is_exclusive: bool
    measured: dict[str, Any] | None
    phase: Phase = "decode"
    left: int = 0
    waiting: deque[Piece] = field(default_factory=deque)
    waits: bool = False

    @classmethod
    def of(cls, number: int, job: Job, assignment: Any, is_exclusive: bool) -> QueuedRun:
        run = cls(number, job, assignment, is_exclusive, job.start.measured or None)
        run._enter("decode", job.to_decode())
        run.next_phase()
        return run

    def next_phase(self) -> None:
        """Go on to the audits once every response is stored."""
        if self.phase == "decode" and not self.left:
            self._enter("audit", self.job.to_audit())

    def _enter(self, phase: Phase, questions: Sequence[Question]) -> None:
        self.phase, self.left = phase, len(questions)
        self.waiting.extend(Piece(self, phase, group) for group in self.job.groups(questions))


@dataclass(eq=False)
class Piece:
    """Questions that go to one worker together.

    deaths: number of workers that have died over it; decodes: keys of the references that it is decoding.
    """

    run: QueuedRun
    phase: Phase
    questions: Sequence[Question]
    deaths: int = 0
    decodes: set[tuple[str, str, int]] = field(default_factory=set)

    @property
    def is_exclusive(self) -> bool:
        """Whether no other piece may be at work meanwhile."""
        return self.run.is_exclusive and self.phase == "decode"

    def given_up(self, reason: str) -> RuntimeError:
        """Return the error of its run after too many deaths; reason: of the last one."""
        indices = ", ".join(str(question.document.index) for question in self.questions)
        return RuntimeError(
            f"{self.deaths} workers died one after the other while they {DONE[self.phase]} document {indices} "
            f"({reason}); was there too little memory? pass fewer runtime.workers or a smaller runtime.batch_size, or "
            "leave it out"
        )


def choose(run: QueuedRun, own: Collection[Piece], others: Collection[Piece]) -> Piece | None:
    """Take the run's next piece for a worker out of its queue; return None if the worker can do none of it now.

    own, others: pieces that this worker, and that all other workers, have been sent and not yet answered. All other
    pieces of a run need the measurements of its first piece, so they wait for it, or follow it on the same worker. No
    reference is decoded twice at a time.
    """
    is_opened_elsewhere = run.measured is None and any(piece.run is run for piece in others)
    if is_opened_elsewhere or any(piece.is_exclusive for piece in others):
        return None
    decoded_now = {key for piece in (*own, *others) for key in piece.decodes}
    for piece in run.waiting:
        if piece.is_exclusive and others:
            return None
        piece.decodes = run.job.references.missing(piece.questions) if piece.phase == "decode" else set()
        if not decoded_now & piece.decodes:
            run.waiting.remove(piece)
            return piece
    return None
