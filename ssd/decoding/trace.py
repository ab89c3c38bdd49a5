"""What a decoder did: one event per forward. Every metric derives from these."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ssd.decoding.drafted import DraftedNode, DraftRecord

Kind = Literal["refresh", "decode", "verify", "verifier"]
KINDS: tuple[Kind, ...] = ("refresh", "decode", "verify", "verifier")


class Pick(NamedTuple):
    """One committed (position, token); the position counts from the response's start."""

    position: int
    token: int
    confidence: float


class Event(NamedTuple):
    """One forward: its kind and size, the picks it led to, and how its drafts fared.

    rows: window length (positions recomputed per node); step: of the first pick, within the block;
    drafted, accepted: number of drafted nodes and of accepted ones, per depth from 1 on;
    revoked: positions whose earlier picks this forward took back (they are masked again before its own picks).
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


@dataclass
class Trace:
    """The events of one response in order, and how many positions the stop rule filled instead of deciding.

    drafts: what was drafted, by the index of the event that evaluated it.
    """

    events: list[Event] = field(default_factory=list)
    filled: int = 0
    drafts: dict[int, DraftRecord] = field(default_factory=dict, compare=False, repr=False)

    @property
    def nfe_by_kind(self) -> dict[Kind, int]:
        counts = Counter(event.kind for event in self.events)
        return {kind: counts[kind] for kind in KINDS}

    @property
    def nfe(self) -> int:
        """Forwards of the dLLM; those of an autoregressive verifier are counted apart."""
        return sum(event.kind != "verifier" for event in self.events)

    @property
    def node_evaluations(self) -> int:
        return sum(event.nodes for event in self.events if event.kind != "verifier")

    @property
    def token_rows(self) -> int:
        return sum(event.nodes * event.rows for event in self.events if event.kind != "verifier")

    @property
    def picks(self) -> list[Pick]:
        """All picks in the order of commitment."""
        return [pick for event in self.events for pick in event.picks]

    @property
    def acceptance_lengths(self) -> list[int]:
        """Tokens committed per forward that checked drafts, bonus included."""
        return [len(event.picks) for event in self.events if event.drafted]

    def drafted_by(self, event: int) -> list[DraftedNode]:
        """The drafted nodes that the event with this index evaluated; none where no record of drafts was kept."""
        record = self.drafts.get(event)
        return record.nodes() if record else []
