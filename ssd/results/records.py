"""Records that runs store: a timed response of one side, and the timed responses of all sides to one prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssd.decoding.decoder import Decoded
from ssd.decoding.trace import Event, Pick, Trace

SECONDS = ("latency_s", "time_s", "verifier_s", "model_s")
SIDES = ("reference", "decoder", "uncached")


@dataclass(frozen=True)
class Timed:
    """A response and what it took; all seconds are None in an untimed run.

    latency_s: from its start to its end, of which verifier_s went into a verifier's forwards and model_s into the
    model's own (None in a batch, which shares forwards); time_s: its share of the wall clock, equal to latency_s
    outside a batch; forwards: its share of the model's forwards.
    """

    decoded: Decoded
    latency_s: float | None
    time_s: float | None
    verifier_s: float | None
    model_s: float | None
    forwards: float

    def untimed(self) -> Timed:
        return Timed(self.decoded, None, None, None, None, self.forwards)

    def to_json(self) -> dict[str, Any]:
        """Return the response as plain data, without the record of drafted nodes."""
        trace = self.decoded.trace
        return {
            "response_ids": self.decoded.response_ids,
            "forwards": self.forwards,
            **{name: getattr(self, name) for name in SECONDS if getattr(self, name) is not None},
            "filled": trace.filled,
            "events": [list(event) for event in trace.events],
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Timed:
        """Return the response that `to_json` wrote, equal to the last bit."""
        events = []
        for kind, block, step, nodes, rows, picks, drafted, accepted, revoked, stored, logit_rows in line["events"]:
            made = tuple(Pick(*pick) for pick in picks)
            depths = tuple(drafted), tuple(accepted)
            events.append(Event(kind, block, step, nodes, rows, made, *depths, tuple(revoked), stored, logit_rows))
        decoded = Decoded(line["response_ids"], Trace(events, line["filled"]))
        return cls(decoded=decoded, forwards=line["forwards"], **{name: line.get(name) for name in SECONDS})


@dataclass(frozen=True)
class Response:
    """A line of responses.jsonl: the timed responses of all sides to one prompt.

    index, repeat: its place; turn: index of the first prompt decoded together with this one; sides: by name, in the
    order of decoding; peak_memory_mib: MiB, None in an untimed run; reference_drift: whether a stored reference differs
    from this run's.
    """

    index: int
    repeat: int
    prompt_sha256: str
    turn: int
    peak_memory_mib: float | None
    reference_drift: bool
    sides: dict[str, Timed]

    def to_json(self) -> dict[str, Any]:
        fields = {name: value for name, value in vars(self).items() if name != "sides"}
        return fields | {name: timed.to_json() for name, timed in self.sides.items()}

    @classmethod
    def from_json(cls, line: Mapping[str, Any]) -> Response:
        fields = {name: value for name, value in line.items() if name not in SIDES}
        return cls(**fields, sides={name: Timed.from_json(line[name]) for name in line if name in SIDES})
