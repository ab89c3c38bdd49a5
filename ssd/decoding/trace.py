"""Traces of decoding: one event per forward. Every metric is computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from ssd.decoding.decided import DecidedRecord
from ssd.decoding.drafted import DraftedNode, DraftRecord

Kind = Literal["refresh", "decode", "verify", "verifier"]
KINDS: tuple[Kind, ...] = ("refresh", "decode", "verify", "verifier")


class Pick(NamedTuple):
    """One committed (position, token); the position is counted from the response's start."""

    position: int
    token: int
    confidence: float


class Event(NamedTuple):
    """One forward: its kind and size, its picks, and the acceptance of its drafts.

    rows: positions computed for each node, at least; step: of the first pick, within the block;
    drafted, accepted: number of drafted nodes and of accepted ones, per depth from 1 on;
    revoked: positions whose earlier picks this forward revoked (they are masked again before its own picks);
    stored: positions computed beside those, once for all nodes: those of full blocks, whose keys and values are stored,
    and those that only some nodes compute; logit_rows: positions of each node that get logits.
    """

    kind: Kind
    block: int
    step: int
    nodes: int
    rows: int
    picks: tuple[Pick, ...]
    drafted: tuple[int, ...] = ()
    accepted: tuple[int, ...] = ()
    revoked: tuple[int, ...] = ()
    stored: int = 0
    logit_rows: int = 0


class Trace:
    """The events of one response in order, and the number of positions that the stop rule filled.

    drafts: the record of each draft, by the index of its event; decided: likewise the confidences of decided positions,
    if they were requested. Equality of traces ignores both.
    """

    def __init__(self, events: Iterable[Event] = (), filled: int = 0) -> None:
        self.filled = filled
        self.drafts: dict[int, DraftRecord] = {}
        self.decided: dict[int, DecidedRecord] = {}
        self._events = list(events)
        self._noted: list[Callable[[], Event]] = []

    def note(self, event: Callable[[], Event]) -> None:
        """Add an event that is made at its first use, so that bookkeeping takes no decoding time."""
        self._noted.append(event)

    @property
    def forwards(self) -> int:
        """Number of events."""
        return len(self._events) + len(self._noted)

    @property
    def events(self) -> list[Event]:
        noted, self._noted = self._noted, []
        self._events += [event() for event in noted]
        return self._events

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trace) and (self.events, self.filled) == (other.events, other.filled)

    def __repr__(self) -> str:
        return f"Trace({self.events}, filled={self.filled})"

    @property
    def nfe_by_kind(self) -> dict[Kind, int]:
        counts = Counter(event.kind for event in self.events)
        return {kind: counts[kind] for kind in KINDS}

    @property
    def nfe(self) -> int:
        """Number of forwards of the dLLM, without those of an autoregressive verifier."""
        return sum(event.kind != "verifier" for event in self.events)

    @property
    def node_evaluations(self) -> int:
        return sum(event.nodes for event in self.events if event.kind != "verifier")

    @property
    def token_rows(self) -> int:
        return sum(event.nodes * event.rows + event.stored for event in self.events if event.kind != "verifier")

    @property
    def picks(self) -> list[Pick]:
        """All picks in the order of commitment."""
        return [pick for event in self.events for pick in event.picks]

    def acceptance_lengths(self, gen_length: int) -> list[int]:
        """Return the response tokens that each forward with drafts committed, bonus included.

        Tokens behind the response's gen_length positions do not count.
        """
        drafting = (event for event in self.events if event.drafted)
        return [sum(pick.position < gen_length for pick in event.picks) for event in drafting]

    def tokens_cut(self, gen_length: int) -> int:
        """Return the number of tokens that were decided behind the response, up to the end of an absolute grid."""
        made = sum(pick.position >= gen_length for pick in self.picks)
        return made - sum(position >= gen_length for event in self.events for position in event.revoked)

    def drafted_by(self, event: int) -> list[DraftedNode]:
        """Return the drafted nodes of the event with this index; none if there is no record of its draft."""
        record = self.drafts.get(event)
        return record.nodes() if record else []

    def decided_at(self, event: int) -> list[list[float | None]]:
        """Return the confidences at each step of the event with this index; none if there is no record of them."""
        record = self.decided.get(event)
        return record.steps() if record else []
