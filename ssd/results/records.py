"""What runs store."""

from __future__ import annotations

from dataclasses import dataclass

from ssd.decoding.decoder import Decoded


@dataclass(frozen=True)
class Timed:
    """A response and what it took; all seconds are None where nothing is timed.

    latency_s: from its start to its end, of which verifier_s went into a verifier's forwards and model_s into the
    model's own (None in a batch, where nobody's are one's own); time_s: its share of the wall clock, which is all of
    the latency unless others were decoded beside it; forwards: its share of the model's.
    """

    decoded: Decoded
    latency_s: float | None
    time_s: float | None
    verifier_s: float | None
    model_s: float | None
    forwards: float

    def untimed(self) -> Timed:
        return Timed(self.decoded, None, None, None, None, self.forwards)
