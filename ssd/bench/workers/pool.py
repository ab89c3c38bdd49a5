"""All runs of a sweep over all workers: pieces go out, lines come back and are stored here, once."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from ssd.bench.job import Job
from ssd.bench.plan import Plan
from ssd.bench.progress import ProgressBar
from ssd.bench.runner import stored_summary
from ssd.bench.workers.cluster import Needs
from ssd.bench.workers.crew import Answer, Crew
from ssd.bench.workers.pieces import Piece, QueuedRun, choose
from ssd.bench.workers.replica import Assignment, Busy, Done, Failed

MOST_DEATHS = 3
"""Workers that may die over one piece before its run is given up."""


class Outcome(NamedTuple):
    """How a run ended: with a summary, or with an error that error.json has told."""

    plan: Plan
    summary: dict[str, Any] | None
    error: Exception | None


class RemoteTraceback(Exception):  # noqa: N818  (the cause of an error, as the worker saw it)
    """A worker's traceback, as text."""


class Pool:
    """`submit` every run, then `finish`; leaving the pool ends its workers. What was not finished can be resumed."""

    def __init__(self) -> None:
        self._needs: Needs | None = None
        self._runs: list[QueuedRun] = []
        self._outcomes: dict[int, Outcome] = {}
        self._count = 0
        self._held = ExitStack()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for run in self._runs:
            run.job.close()
        self._held.close()

    def submit(self, plan: Plan) -> None:
        """Check a run and put its prompts into the queue; a finished one just has its stored summary.

        What is wrong with the run itself raises, as in `run`, with error.json beside its samples if there are any.
        """
        summary = stored_summary(plan)
        if summary is not None:
            self._outcomes[self._next()] = Outcome(plan, summary, None)
            return
        is_first = self._connect(plan)
        job = Job(plan, self._crew.size)
        try:
            job.open()
            plan.task.close()  # its judges are the workers'
        except Exception as error:
            job.fail(error)
            job.close()
            raise
        shared = replace(plan, documents=[], tracker=None)
        assignment = self._crew.put(Assignment(job.folder.run_id, shared, job.start, job.circumstances))
        run = QueuedRun.of(self._next(), job, assignment, alone=plan.runtime.timing and not self._needs.on_gpu)
        if is_first and not run.alone:
            self._crew.prepare(assignment)
        self._runs.append(run)
        self._bar.expect(len(job.finished) + run.left, len(job.finished))
        if not run.left:
            self._end(run, job.finish(), None)
        self._work(timeout_s=0)

    def finish(self) -> list[Outcome]:
        """Wait for all runs; how each of them ended, in the order in which they were submitted."""
        while self._runs:
            self._work(timeout_s=None)
        return [self._outcomes[number] for number in sorted(self._outcomes)]

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _connect(self, plan: Plan) -> bool:
        """Start the workers, if it is the first run. Raises ValueError for a later one that asks for other workers."""
        needs = Needs.of(plan)
        is_first = self._needs is None
        if is_first:
            self._crew = Crew(needs)
            self._held.callback(self._crew.close)
            self._bar = self._held.enter_context(ProgressBar())
            self._needs = needs
        elif needs != self._needs:
            raise ValueError(
                f"{needs} is not what the workers of this sweep were started with ({self._needs}); sweep over "
                "runtime.device, .threads, .workers and .address in lines of their own"
            )
        return is_first

    def _work(self, timeout_s: float | None) -> None:
        """Keep every worker busy, and take what the first of them to answer has found."""
        for worker in self._crew.workers:
            while worker.has_room:
                piece = choose(self._runs, worker.sent.values(), self._crew.sent_to_others(worker))
                if piece is None:
                    break
                run = piece.run
                known = run.job.known(piece.questions)
                worker.send(piece, run.assignment, piece.questions, known, run.measured or {}, run.waits)
        for piece, answer in self._crew.answers(timeout_s):
            if piece.run.number not in self._outcomes:  # else it has failed meanwhile
                self._take(piece, answer)

    def _take(self, piece: Piece, answer: Answer) -> None:
        """Store what a piece gave, or let it be done again."""
        run = piece.run
        try:
            if isinstance(answer, Failed):
                raise answer.error from RemoteTraceback(answer.traceback)
            if isinstance(answer, Done):
                self._store(run, answer)
                return
            if isinstance(answer, Busy):
                if not run.waits:
                    print(answer.message, file=sys.stderr)
                run.waits = True
            else:
                piece.deaths += answer.is_to_blame
                if piece.deaths == MOST_DEATHS:
                    raise piece.given_up(answer.reason)
            run.waiting.appendleft(piece)
        except Exception as error:
            self._end(run, None, error)

    def _store(self, run: QueuedRun, done: Done) -> None:
        if run.measured is None:
            run.job.begin(done.measured)
            run.measured = done.measured
        for measured in done.found:
            run.job.keep(measured)
            run.left -= 1
            self._bar.advance()
        if not run.left:
            self._end(run, run.job.finish(), None)

    def _end(self, run: QueuedRun, summary: dict[str, Any] | None, error: Exception | None) -> None:
        """Close a run, well or not."""
        self._runs.remove(run)
        self._outcomes[run.number] = Outcome(run.job.plan, summary, error)
        if error is not None:
            run.job.fail(error)
        run.job.close()
