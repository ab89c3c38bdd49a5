"""All runs of a sweep over all workers: pieces are sent, and answers are stored here, once."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import count
from typing import Any, NamedTuple

from ssd.campaign.workers.actors import Actor, Actors, Lost
from ssd.campaign.workers.cluster import Needs
from ssd.campaign.workers.messages import Answer, Assignment, Audited, Busy, Decoded, Failed, RemoteTraceback
from ssd.campaign.workers.work_queue import Piece, QueuedRun, choose
from ssd.config.plan import Plan
from ssd.results.store import RunFolder
from ssd.run.device_lock import WAYS_OUT
from ssd.run.job import Job
from ssd.run.progress import AUDITED, DECODED, ProgressBar
from ssd.run.runner import stored_summary

MOST_DEATHS = 3
"""Number of workers that may die over one piece before its run is given up."""


class Outcome(NamedTuple):
    """How a run ended: with a summary, or with an error, which error.json holds."""

    plan: Plan
    summary: dict[str, Any] | None
    error: Exception | None


class Pool:
    """`submit` every run, then `finish`; leaving the pool ends its workers. Unfinished runs can be resumed."""

    _actors: Actors
    _bar: ProgressBar

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

        Errors of the run itself raise, as in `run`, with error.json beside its samples if there are any.
        """
        folder = RunFolder(plan.results_dir, plan.config)
        summary = stored_summary(plan, folder)
        if summary is not None:
            self._outcomes[next(self._numbers)] = Outcome(plan, summary, None)
            return
        is_first, needs = self._needs is None, self._connect(plan)
        job = Job(plan, folder, self._actors.size)
        try:
            job.open()
        except Exception as error:
            job.fail(error)
            job.close()
            raise
        content = Assignment.of(plan, folder.run_id, job.start, job.tokenizer, job.circumstances)
        assignment = self._actors.put(content)
        run = QueuedRun.of(next(self._numbers), job, assignment, plan.runtime.timing and not needs.on_gpu)
        if is_first and not run.is_exclusive:
            self._actors.prepare(assignment)
        self._runs.append(run)
        total = len(job.questions)
        self._bar.expect_run(total, total - len(job.to_decode()), len(job.finished))
        if not run.left:
            self._end(run, None)
        self._send()
        self._receive(timeout_s=0)

    def finish(self) -> list[Outcome]:
        """Wait for all runs; return how each of them ended, in the order in which they were submitted."""
        while self._runs:
            self._send()
            if self._runs and not any(actor.sent for actor in self._actors.actors):
                raise RuntimeError(f"{len(self._runs)} runs are unfinished, and no worker can go on with them")
            self._receive(timeout_s=None)
        return [self._outcomes[number] for number in sorted(self._outcomes)]

    def _connect(self, plan: Plan) -> Needs:
        """Start the workers, if it is the first run. Raises ValueError for a later one that asks for other workers."""
        needs = Needs.of(plan)
        if self._needs is None:
            self._actors = Actors(needs)
            self._held.callback(self._actors.close)
            self._bar = self._held.enter_context(ProgressBar(DECODED, AUDITED))
            self._bar.tell(f"workers: {self._actors.size}; each loads the model")
            self._needs = needs
        needs.require_same(self._needs)
        return needs

    def _send(self) -> None:
        """Keep every worker busy."""
        for actor in self._actors.actors:
            while actor.has_room and self._send_next(actor):
                pass

    def _send_next(self, actor: Actor) -> bool:
        """Send a worker its next piece, if there is one; return whether. A run whose pieces cannot be sent is over."""
        own, others = actor.sent.values(), self._actors.sent_to_others(actor)
        for run in list(self._runs):
            try:
                piece = choose(run, own, others)
                if piece is not None:
                    actor.send(piece, run.assignment, run.measured or {}, run.waits, *_content(piece))
                    return True
            except Exception as error:
                self._end(run, error)
        return False

    def _receive(self, timeout_s: float | None) -> None:
        """Take the first answer of any worker."""
        for piece, answer in self._actors.answers(timeout_s):
            if piece.run.number not in self._outcomes:  # else it has failed meanwhile
                self._take(piece, answer)

    def _take(self, piece: Piece, answer: Answer | Lost) -> None:
        """Store an answer, or put its piece back into the queue."""
        run = piece.run
        try:
            if isinstance(answer, Failed):
                raise answer.error from RemoteTraceback(answer.traceback)
            if isinstance(answer, Decoded | Audited):
                self._store(run, answer)
                return
            if isinstance(answer, Busy):
                if not run.waits:
                    self._bar.tell(f"{answer.message}; {WAYS_OUT}")
                run.waits = True
            else:
                piece.deaths += answer.is_to_blame
                if piece.deaths == MOST_DEATHS:
                    raise piece.given_up(answer.reason)
            run.waiting.appendleft(piece)
        except Exception as error:
            self._end(run, error)

    def _store(self, run: QueuedRun, answer: Decoded | Audited) -> None:
        if isinstance(answer, Decoded):
            if run.measured is None:
                run.job.begin(answer.measured)
                run.measured = answer.measured
            for found in answer.found:
                run.job.keep_response(found)
            count, phase = len(answer.found), DECODED
        else:
            for line in answer.lines:
                run.job.keep_line(line)
            count, phase = len(answer.lines), AUDITED
        self._bar.advance(phase, count)
        run.left -= count
        run.next_phase()
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


def _content(piece: Piece) -> tuple[Any, ...]:
    """Return the piece's own arguments of `Worker.decode` or `Worker.audit`."""
    job, questions = piece.run.job, piece.questions
    if piece.phase == "decode":
        return questions, job.references.known(questions)
    return questions, [job.response(question) for question in questions]
