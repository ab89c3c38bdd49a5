"""The actors of a pool: the work that each was sent, its answers, and a new actor in place of one that has died."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ssd.campaign.workers.cluster import Cluster, Needs, import_ray
from ssd.campaign.workers.messages import Answer, Failed
from ssd.campaign.workers.work_queue import Piece

AHEAD = 2
"""Pieces that an actor has at a time, so that it need not wait for the next one."""


class Lost(NamedTuple):
    """The actor has died before it answered; is_to_blame: whether it was at work on this very piece."""

    is_to_blame: bool
    reason: str


@dataclass(eq=False)
class Actor:
    """A Ray actor with a `Worker`, and the pieces that it was sent, in order, by Ray's reference to the answer."""

    handle: Any
    sent: dict[Any, Piece] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        return len(self.sent) < AHEAD

    def send(self, piece: Piece, *arguments: Any) -> None:
        """arguments: those of `Worker.decode` or `Worker.audit`, whichever is the piece's phase."""
        self.sent[getattr(self.handle, piece.phase).remote(*arguments)] = piece


class Actors:
    """Starts its actors at once. Raises what `Cluster` raises.

    Ray's own restarts do not replace a dead actor here. Ray retries all tasks of a dead actor alike, those included
    that only waited behind the fatal one, and a task's retries would then not count the workers that died over it.
    """

    def __init__(self, needs: Needs) -> None:
        self._ray = import_ray()
        self._cluster = Cluster(needs)
        self.size = self._cluster.size
        self.actors = [Actor(self._cluster.actor()) for _ in range(self.size)]

    def put(self, value: Any) -> Any:
        """Store a value where actors find it; return Ray's reference to it."""
        return self._ray.put(value)

    def prepare(self, assignment: Any) -> None:
        """Let all actors load a run's model at once; they answer to its pieces only."""
        for actor in self.actors:
            actor.handle.prepare.remote(assignment)

    def sent_to_others(self, actor: Actor) -> list[Piece]:
        return [piece for other in self.actors if other is not actor for piece in other.sent.values()]

    def answers(self, timeout_s: float | None) -> Iterator[tuple[Piece, Answer | Lost]]:
        """Yield the first answer with its piece, and the losses that it reveals; nothing after the timeout."""
        waiting = {reference: actor for actor in self.actors for reference in actor.sent}
        if not waiting:
            return
        for ready in self._ray.wait(list(waiting), timeout=timeout_s)[0]:
            actor = waiting[ready]
            try:
                answer = self._ray.get(ready)
            except self._ray.exceptions.RayTaskError as error:  # the actor lives: a worker's own errors are answers
                reason = str(error.cause).partition("\n")[0]
                failure = RuntimeError(f"a worker cannot read its work: {reason}")
                yield actor.sent.pop(ready), Failed(failure, str(error))
            except self._ray.exceptions.RayError as error:
                yield from self._replace(actor, error)
            else:
                yield actor.sent.pop(ready), answer

    def close(self) -> None:
        """End the actors, and Ray if it was started for them."""
        for actor in self.actors:
            self._ray.kill(actor.handle)
        self._cluster.close()

    def _replace(self, actor: Actor, error: Exception) -> Iterator[tuple[Piece, Answer | Lost]]:
        """Start a dead actor anew; yield the answers that it had given, then the lost pieces, the last one first."""
        self._ray.kill(actor.handle)  # the process may live, if only its connection is broken
        sent, actor.sent, actor.handle = actor.sent, {}, self._cluster.actor()
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        lost = []
        for reference, piece in sent.items():
            try:
                yield piece, self._ray.get(reference, timeout=0)
            except self._ray.exceptions.RayError:  # a timeout is one of them
                lost.append(piece)
        for piece in reversed(lost):
            yield piece, Lost(piece is lost[0], reason)  # pieces are worked on in the order in which they were sent
