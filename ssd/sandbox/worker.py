"""The caller's side of a judge process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import asdict

from ssd.sandbox import boot
from ssd.sandbox.channel import STARTUP_S
from ssd.sandbox.errors import SandboxError
from ssd.sandbox.program import Limits, Outcome, Program, Reason
from ssd.sandbox.protections.protection import Protection

_GRACE_S = 5.0
"""Time for a judge to end a late candidate. After it, the judge counts as stuck."""


class Worker:
    """A judge that takes one program at a time. It is replaced when it ends or gets stuck."""

    def __init__(self, protection: Protection, limits: Limits, folder: str) -> None:
        self._arguments = (protection, folder, json.dumps(asdict(limits)))
        self._wall_s = limits.wall_s
        self._patience_s = STARTUP_S + limits.wall_s + _GRACE_S
        self._process = self._started()
        self.deadline_s: float | None = None

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def assign(self, program: Program) -> None:
        """Send a program. Its outcome is ready when `fileno` is readable."""
        if self._process.poll() is not None:
            self.replace()
        assert self._process.stdin is not None
        self.deadline_s = time.monotonic() + self._patience_s
        with suppress(BrokenPipeError):  # the judge has just ended; `outcome` will find no answer
            self._process.stdin.write(json.dumps(asdict(program)).encode("ascii") + b"\n")
            self._process.stdin.flush()

    def outcome(self) -> Outcome:
        """Return the outcome of the program; raise SandboxError if the sandbox failed."""
        judge = self._process
        assert judge.stdout is not None
        line = judge.stdout.readline()
        if not line.endswith(b"\n"):
            self.replace()
            return self._late() if judge.returncode == -signal.SIGALRM else Outcome(Reason.CRASHED, "its judge ended")
        self.deadline_s = None
        answer = json.loads(line)
        if "error" in answer:
            raise SandboxError(answer["error"])
        return Outcome(Reason(answer["reason"]), answer["detail"])

    def stuck(self) -> Outcome:
        """Replace the judge, and return the outcome of a program whose tests exceeded their time."""
        self.replace()
        return self._late()

    def replace(self) -> None:
        """End this judge and start a new one."""
        self.close()
        self._process = self._started()
        self.deadline_s = None

    def close(self) -> None:
        """End the judge; the kernel ends its candidate with it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdout.close()
        with suppress(BrokenPipeError):  # part of a program may still be in the buffer
            self._process.stdin.close()

    def _late(self) -> Outcome:
        return Outcome(Reason.TIME_LIMIT, f"{self._wall_s:g} s ended in the data set's own code")

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            boot.command("sandbox.judge", *self._arguments, str(os.getpid())),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=boot.environment(),
            cwd=os.sep,
            start_new_session=True,
        )
