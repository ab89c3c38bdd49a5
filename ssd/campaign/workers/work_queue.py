"""What is sent to workers, and which piece is next: all runs in one queue, timing runs on a device of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from ssd.measure.timing import Question
from ssd.run.job import Job


@dataclass(eq=False)
class QueuedRun:
    """A run that is open: what of it waits, and how much is left.

    number: its place among all runs; assignment: what every piece of it is sent with; measured: what its first bench
    measured, None until then; alone: whether nothing else may be decoded anywhere meanwhile, because it is timed and
    cores are shared; waits: see `Replica.measure`.
    """

    number: int
    job: Job
    assignment: Any
    alone: bool
    measured: dict[str, Any] | None
    left: int
    waiting: deque[Piece] = field(default_factory=deque)
    waits: bool = False

    @classmethod
    def of(cls, number: int, job: Job, assignment: Any, alone: bool) -> QueuedRun:
        run = cls(number, job, assignment, alone, job.start.measured or None, len(job.todo))
        run.waiting.extend(Piece(run, group) for group in job.groups())
        return run


@dataclass(eq=False)
class Piece:
    """Questions that are measured together.

    deaths: how many workers have died over it; decodes: the references that it is decoding, since it was chosen.
    """

    run: QueuedRun
    questions: Sequence[Question]
    deaths: int = 0
    decodes: set[tuple[str, str, int]] = field(default_factory=set)

    def given_up(self, reason: str) -> RuntimeError:
        """What its run fails with after too many deaths; reason: of the last one."""
        indices = ", ".join(str(question.document.index) for question in self.questions)
        return RuntimeError(
            f"{self.deaths} workers died one after the other while they decoded document {indices} ({reason}); was "
            "there too little memory? pass fewer runtime.workers or a smaller runtime.batch_size, or leave it out"
        )


def choose(run: QueuedRun, own: Collection[Piece], others: Collection[Piece]) -> Piece | None:
    """Take the run's next piece for a worker out of its queue; None if there is nothing of it for the worker to do now.

    own, others: what this worker, and what all other workers have been sent and not yet answered. A run's first piece
    goes ahead of its others, unless to the same worker, since what it measures is told to them; no reference is decoded
    twice at a time.
    """
    is_opened_elsewhere = run.measured is None and any(piece.run is run for piece in others)
    if is_opened_elsewhere or (run.alone and others) or any(piece.run.alone for piece in others):
        return None
    decoded_now = {place for piece in (*own, *others) for place in piece.decodes}
    for piece in run.waiting:
        piece.decodes = run.job.unknown(piece.questions)
        if not decoded_now & piece.decodes:
            run.waiting.remove(piece)
            return piece
    return None
