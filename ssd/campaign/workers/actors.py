"""The workers of a pool: what each of them was sent, what it answers, and another in its place if it dies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ssd.campaign.workers.cluster import Cluster, Needs, import_ray
from ssd.campaign.workers.work_queue import Piece
from ssd.campaign.workers.worker import Busy, Done, Failed

AHEAD = 2
"""Pieces that a worker has at a time, so that it need not wait for the next one."""


class Lost(NamedTuple):
    """A worker has died before it answered; is_to_blame: whether it was at work on this very piece."""

    is_to_blame: bool
    reason: str


Answer = Done | Failed | Busy | Lost


@dataclass(eq=False)
class Worker:
    """An actor and what it was sent, in that order, by what its answer is asked for with."""

    actor: Any
    sent: dict[Any, Piece] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        return len(self.sent) < AHEAD

    def send(self, piece: Piece, *asked: Any) -> None:
        """asked: the arguments of `Replica.measure`."""
        self.sent[self.actor.measure.remote(*asked)] = piece


class Crew:
    """Starts its workers at once. Raises what `Cluster` raises."""

    def __init__(self, needs: Needs) -> None:
        self._ray = import_ray()
        self._cluster = Cluster(needs)
        self.size = self._cluster.size
        self.workers = [Worker(self._cluster.worker()) for _ in range(self.size)]

    def put(self, value: Any) -> Any:
        """Keep a value where workers find it; returns what stands for it in what they are sent."""
        return self._ray.put(value)

    def prepare(self, assignment: Any) -> None:
        """Let all workers load a run's model at once; they answer to its pieces only."""
        for worker in self.workers:
            worker.actor.prepare.remote(assignment)

    def sent_to_others(self, worker: Worker) -> list[Piece]:
        return [piece for other in self.workers if other is not worker for piece in other.sent.values()]

    def answers(self, timeout_s: float | None) -> Iterator[tuple[Piece, Answer]]:
        """What the first to answer has to say, with the piece that it is about; nothing after the timeout."""
        asked = {answer: worker for worker in self.workers for answer in worker.sent}
        if not asked:
            return
        for ready in self._ray.wait(list(asked), timeout=timeout_s)[0]:
            worker = asked[ready]
            try:
                answer = self._ray.get(ready)
            except self._ray.exceptions.RayTaskError as error:  # the worker lives: its own errors are answers
                reason = str(error.cause).partition("\n")[0]
                yield (
                    worker.sent.pop(ready),
                    Failed(RuntimeError(f"a worker cannot read its work: {reason}"), str(error)),
                )
            except self._ray.exceptions.RayError as error:
                yield from self._replace(worker, error)
            else:
                yield worker.sent.pop(ready), answer

    def close(self) -> None:
        """End the workers, and Ray if it was started for them."""
        for worker in self.workers:
            self._ray.kill(worker.actor)
        self._cluster.close()

    def _replace(self, worker: Worker, error: Exception) -> Iterator[tuple[Piece, Answer]]:
        """Start a worker that has died anew; what it had answered before counts, the rest is lost, last piece first."""
        self._ray.kill(worker.actor)  # where only the way to it is broken
        sent, worker.sent, worker.actor = worker.sent, {}, self._cluster.worker()
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        lost = []
        for asked, piece in sent.items():
            try:
                yield piece, self._ray.get(asked, timeout=0)
            except self._ray.exceptions.RayError:  # a timeout is one of them
                lost.append(piece)
        for piece in reversed(lost):
            yield piece, Lost(piece is lost[0], reason)  # pieces are worked on in the order in which they were sent
