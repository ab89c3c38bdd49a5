"""Messages to and from a process that may send nothing, send too much, or end."""

from __future__ import annotations

import math
import os
import select
import time
from collections.abc import Callable

from ssd.sandbox import wire
from ssd.sandbox.errors import CandidateLost
from ssd.sandbox.program import Reason

_CHUNK_BYTES = 1 << 16
_CHECK_S = 0.2
"""Interval between checks of a process that sends nothing."""


class Pipe:
    """Both directions of a connection, limited in time and bytes."""

    def __init__(self, requests: int, answers: int, answer_kib: int, check: Callable[[], None]) -> None:
        """Use both descriptors. `check` raises CandidateLost if the process exceeds a limit."""
        self._requests = requests
        self._answers = answers
        self._answer_kib = answer_kib
        self._bytes_left = answer_kib * 1024
        self._check = check
        self.allow(0.0)
        os.set_blocking(requests, False)
        os.set_blocking(answers, False)

    def allow(self, seconds: float) -> None:
        """Allow this time for all further messages together."""
        self._seconds = seconds
        self._deadline_s = time.monotonic() + seconds

    def remaining_s(self) -> float:
        """Return the seconds that are left of the allowed time."""
        return max(0.0, self._deadline_s - time.monotonic())

    def send(self, message: bytes) -> None:
        """Write a message; raise BrokenPipeError if the process has closed the pipe."""
        rest = memoryview(message)
        while rest:
            self._await(self._requests, select.POLLOUT)
            rest = rest[os.write(self._requests, rest) :]

    def receive(self) -> bytes:
        """Return the body of the next message; raise EOFError if the process has closed the pipe."""
        (size,) = wire.LENGTH.unpack(self._read(wire.LENGTH.size))
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise CandidateLost(Reason.OUTPUT_LIMIT, f"its answers exceed {self._answer_kib} KiB")
        body = self._read(size)
        self._check()
        return body

    def drain(self, seconds: float) -> None:
        """Read until every process at the other end has closed the pipe, for `seconds` at most."""
        self.allow(seconds)
        while self._ready(self._answers, select.POLLIN) and os.read(self._answers, _CHUNK_BYTES):
            pass

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            self._await(self._answers, select.POLLIN)
            part = os.read(self._answers, min(size - len(parts), _CHUNK_BYTES))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _await(self, descriptor: int, event: int) -> None:
        while not self._ready(descriptor, event, most_s=_CHECK_S):
            if not self.remaining_s():
                raise CandidateLost(Reason.TIME_LIMIT, f"it took longer than {self._seconds:g} s")
            self._check()

    def _ready(self, descriptor: int, event: int, most_s: float = math.inf) -> bool:
        remaining_s = min(most_s, self.remaining_s())
        poll = select.poll()
        poll.register(descriptor, event)
        return remaining_s > 0 and bool(poll.poll(remaining_s * 1000))
