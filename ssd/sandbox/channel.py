"""The judge's side of a candidate: start it, send it requests within the limits, and end it.

Candidate and data set share one wall-clock limit. While the judge waits for an answer, the pipe watches that limit.
While the judge runs the data set's code, an alarm of the kernel does, which ends the judge.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import asdict
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

from ssd.sandbox import boot, wire, workspace
from ssd.sandbox.errors import CandidateLost, SandboxError, raised
from ssd.sandbox.handle import Handle, number_of
from ssd.sandbox.pipe import Pipe
from ssd.sandbox.program import Limits, Reason
from ssd.sandbox.protections.protection import Protection

STARTUP_S = 60.0
"""Time limit for an interpreter to start and confine itself on a busy machine."""

_END_S = 5.0
"""Time limit for an ending process to disappear."""

_LAST_S = 1.0
"""Time for tests to end after their candidate is lost."""

_MESSAGE_BYTES = 10_000
_SHORTEST_S = 1e-3  # zero seconds would cancel the alarm


class Channel:
    """A candidate process, from start to end."""

    def __init__(self, protection: Protection, limits: Limits, folder: str) -> None:
        self.lost: CandidateLost | None = None
        self._limits = limits
        self._handles: dict[int, Handle] = {}
        self._cpu_s = _children_cpu_s()
        with ExitStack() as resources:
            # A program without isolation can make its folder impossible to remove.
            self._folder = resources.enter_context(TemporaryDirectory(dir=folder, ignore_cleanup_errors=True))
            self._output = resources.enter_context(TemporaryFile(dir=folder))
            self._process = resources.enter_context(
                subprocess.Popen(
                    boot.command("sandbox.launch", protection, self._folder, json.dumps(asdict(limits))),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._output,
                    bufsize=0,
                    env=boot.environment(),
                    cwd=os.sep,
                    start_new_session=True,
                )
            )
            self._resources = resources.pop_all()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._pipe = Pipe(
            self._process.stdin.fileno(), self._process.stdout.fileno(), limits.answer_kib, self._check_folder
        )

    def __enter__(self) -> Channel:
        self._pipe.allow(STARTUP_S)
        try:
            self.ask("ready")
        except CandidateLost as lost:
            last_line = self._printed().strip().rpartition("\n")[2]
            self.close()
            raise SandboxError(last_line or lost.detail) from lost
        # The time limit starts when the process is ready, so a slow start costs the program nothing.
        self._pipe.allow(self._limits.wall_s)
        set_alarm(self._limits.wall_s)
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, operation: str, *arguments: Any, **keywords: Any) -> Any:
        """Send the candidate a request and return its answer as plain data and handles.

        Raise CandidateError if the program raised, and CandidateLost if no answer can come.
        """
        if self.lost is not None:
            raise self.lost
        request = wire.pack([operation, wire.encode(arguments, number_of), wire.encode(keywords, number_of)])
        set_alarm(None)
        try:
            return self._answer_to(request)
        finally:
            set_alarm(self._pipe.remaining_s() if self.lost is None else _LAST_S)

    def _answer_to(self, request: bytes) -> Any:
        try:
            self._pipe.send(request)
            answer = wire.unpack(self._pipe.receive())
            match answer:
                case ["value", value]:
                    return wire.decode(value, self._handle)
                case ["error", str(kind), str(message)]:
                    raise raised(kind, message)
            raise wire.WireError("neither a value nor an error")
        except wire.WireError as error:
            self.lost = CandidateLost(Reason.CRASHED, f"it answered with no message: {error}")
        except (BrokenPipeError, EOFError):
            self.lost = self._end()
        except CandidateLost as lost:
            self.lost = lost
        raise self.lost

    def printed_too_much(self) -> bool:
        """Return whether the printed bytes have reached their limit."""
        return os.fstat(self._output.fileno()).st_size >= self._limits.file_mib << 20

    def close(self) -> None:
        """End the candidate with its whole process group, and wait for its end."""
        set_alarm(None)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._pipe.drain(_END_S)
        self._resources.close()

    def _check_folder(self) -> None:
        if workspace.exceeds(self._folder, self._limits.file_mib << 20):
            raise CandidateLost(
                Reason.OUTPUT_LIMIT, f"it keeps more than {self._limits.file_mib} MiB or {workspace.MOST_ENTRIES} files"
            )

    def _handle(self, number: int) -> Handle:
        return self._handles.setdefault(number, Handle(self.ask, number))

    def _end(self) -> CandidateLost:
        """Return how a candidate ended that closed its side of the pipe."""
        try:
            status = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            return CandidateLost(Reason.CRASHED, "it closed the pipe of its answers")
        if status >= 0:
            return CandidateLost(Reason.CRASHED, f"it ended with exit status {status} before it had answered")
        name = signal.Signals(-status).name
        if -status == signal.SIGKILL and _children_cpu_s() - self._cpu_s > self._limits.cpu_s - 1:
            return CandidateLost(Reason.TIME_LIMIT, f"it used {self._limits.cpu_s} s of processor time")
        return CandidateLost(Reason.CRASHED, f"{name} ended it before it had answered")

    def _printed(self) -> str:
        self._output.seek(max(0, self._output.seek(0, os.SEEK_END) - _MESSAGE_BYTES))
        return self._output.read().decode(errors="replace")


def set_alarm(seconds: float | None) -> None:
    """End this process with SIGALRM after the seconds, whatever it executes then; None cancels the last alarm."""
    signal.setitimer(signal.ITIMER_REAL, 0.0 if seconds is None else max(seconds, _SHORTEST_S))


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
