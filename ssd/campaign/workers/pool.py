"""All runs of a sweep over all workers: pieces go out, lines come back and are stored here, once."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from itertools import count
from typing import Any, NamedTuple

from ssd.campaign.workers.actors import Answer, Crew, Worker
from ssd.campaign.workers.cluster import Needs
from ssd.campaign.workers.work_queue import Piece, QueuedRun, choose
from ssd.campaign.workers.worker import Assignment, Busy, Done, Failed, RemoteTraceback
from ssd.config.plan import Plan
from ssd.run.job import Job
from ssd.run.progress import ProgressBar
from ssd.run.runner import stored_summary

MOST_DEATHS = 3
"""Workers that may die over one piece before its run is given up."""


class Outcome(NamedTuple):
    """How a run ended: with a summary, or with an error that error.json has told."""

    plan: Plan
    summary: dict[str, Any] | None
    error: Exception | None


class Pool:
    """`submit` every run, then `finish`; leaving the pool ends its workers. What was not finished can be resumed."""

    def __init__(self) -> None:
        self._needs: Needs | None = None
        self._runs: list[QueuedRun] = []
        self._outcomes: dict[int, Outcome] = {}
        self._numbers = count()
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
            self._outcomes[next(self._numbers)] = Outcome(plan, summary, None)
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
        assignment = self._crew.put(Assignment.of(plan, job.folder.run_id, job.start, job.circumstances))
        run = QueuedRun.of(next(self._numbers), job, assignment, alone=plan.runtime.timing and not self._needs.on_gpu)
        if is_first and not run.alone:
            self._crew.prepare(assignment)
        self._runs.append(run)
        self._bar.expect(len(job.finished) + run.left, len(job.finished))
        if not run.left:
            self._end(run, None)
        self._send()
        self._receive(timeout_s=0)

    def finish(self) -> list[Outcome]:
        """Wait for all runs; how each of them ended, in the order in which they were submitted."""
        while self._runs:
            self._send()
            if self._runs and not any(worker.sent for worker in self._crew.workers):
                raise RuntimeError(f"{len(self._runs)} runs are unfinished, and no worker can go on with them")
            self._receive(timeout_s=None)
        return [self._outcomes[number] for number in sorted(self._outcomes)]

    def _connect(self, plan: Plan) -> bool:
        """Start the workers, if it is the first run. Raises ValueError for a later one that asks for other workers."""
        needs = Needs.of(plan)
        is_first = self._needs is None
        if is_first:
            self._crew = Crew(needs)
            self._held.callback(self._crew.close)
            self._bar = self._held.enter_context(ProgressBar())
            self._needs = needs
        needs.require_same(self._needs)
        return is_first

    def _send(self) -> None:
        """Keep every worker busy."""
        for worker in self._crew.workers:
            while worker.has_room and self._send_next(worker):
                pass

    def _send_next(self, worker: Worker) -> bool:
        """Whether there was a piece for it; a run whose pieces cannot be sent is over."""
        own, others = worker.sent.values(), self._crew.sent_to_others(worker)
        for run in list(self._runs):
            try:
                piece = choose(run, own, others)
                if piece is not None:
                    known = run.job.known(piece.questions)
                    worker.send(piece, run.assignment, piece.questions, known, run.measured or {}, run.waits)
                    return True
            except Exception as error:
                self._end(run, error)
        return False

    def _receive(self, timeout_s: float | None) -> None:
        """Take what the first worker to answer has found."""
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
            self._end(run, error)

    def _store(self, run: QueuedRun, done: Done) -> None:
        if run.measured is None:
            run.job.begin(done.measured)
            run.measured = done.measured
        for measured in done.found:
            run.job.keep(measured)
            run.left -= 1
            self._bar.advance()
        if not run.left:
            self._end(run, None)

    def _end(self, run: QueuedRun, error: Exception | None) -> None:
        """Close a run that has all its lines, or failed."""
        self._runs.remove(run)
        summary = None
        try:
            summary = run.job.finish() if error is None else None
        except Exception as failure:
            error = failure
        self._outcomes[run.number] = Outcome(run.job.plan, summary, error)
        if error is not None:
            run.job.fail(error)
        run.job.close()
