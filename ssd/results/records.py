"""A response with its times."""

from __future__ import annotations

from dataclasses import dataclass

from ssd.decoding.decoder import Decoded


@dataclass(frozen=True)
class Timed:
    """A response and its seconds, which are None where nothing is timed.

    latency_s: from start to end; verifier_s: in a verifier's forwards; model_s: in the model's forwards, None in a
    batch, whose responses share them; time_s: share of the wall clock, equal to the latency outside a batch; forwards:
    share of the model's forwards.
    """

    decoded: Decoded
    latency_s: float | None
    time_s: float | None
    verifier_s: float | None
    model_s: float | None
    forwards: float

    def untimed(self) -> Timed:
        return Timed(self.decoded, None, None, None, None, self.forwards)
