"""Compare mathematical answers by value in a separate process.

SymPy can compute for hours on one answer (`(x+1)^{1000}`, `2^{2^{30}}`). math_verify's own limits use SIGALRM, which
needs the main thread and cannot interrupt a long multiplication. A process can be ended from any thread. It reads
model-written text, so its memory and time are limited, it has no environment variables, and it ends with its parent.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import logging
import math
import os
import resource
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from ssd.sandbox import boot
from ssd.sandbox.protections import kernel

_START_LIMIT_S = 300.0  # the first import of SymPy from a slow disk
_READY = "ready\n"
_MEMORY_MIB = 2048


class Comparison:
    """A process that compares answers one by one. It starts with the first question, and again after it has ended."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)

    def same(self, answer: str, target: str) -> bool:
        """Return whether both have the same value. A comparison that exceeds the limit counts as different."""
        with self._lock:
            verdict = self._verdict(answer, target)
            # The kernel ends the process with the thread that started it, perhaps during another thread's question.
            if verdict is None:
                verdict = self._verdict(answer, target)
            return verdict == "true\n"

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _verdict(self, answer: str, target: str) -> str | None:
        """Return the process's line, an empty one without a verdict, or None if something else killed the process."""
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = _started(self.limit_s)
        with suppress(BrokenPipeError):
            print(json.dumps([answer, target]), file=self._process.stdin, flush=True)
        verdict = _line(self._process, self.limit_s)
        if verdict is None:
            ended = self._process.wait()
            return None if ended == -signal.SIGKILL else ""
        if not verdict:
            self._end()
        return verdict

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            with self._process:  # closes its pipes and waits for it
                self._process = None


def _started(limit_s: float) -> subprocess.Popen[str]:
    if importlib.util.find_spec("math_verify") is None:
        from ssd.extras import MissingExtraError

        raise MissingExtraError(
            'math-verify is not installed, and MATH\'s answers are compared with it; pip install "ssd-benchmark[tasks]"'
        )
    # math_verify may be on the user's PYTHONPATH. The process gets no other variable of the user.
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    process = subprocess.Popen(
        boot.command("tasks.extraction.comparison", str(limit_s), packages=True),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="ascii",
        # SymPy orders by hash in some places. The fixed hash seed makes all runs equal.
        env=boot.environment() | path,
        cwd=os.sep,
        # Ctrl-C ends only the asking process.
        start_new_session=True,
    )
    if _line(process, _START_LIMIT_S) != _READY:
        process.kill()
        with process:
            raise RuntimeError("the process that compares answers did not start; its output above gives the reason")
    return process


def _line(process: subprocess.Popen[str], limit_s: float) -> str | None:
    """Return the process's next line, an empty one if none comes in time, or None if the process has ended."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], limit_s)
    return (process.stdout.readline() or None) if ready else ""


def main(limit_s: str) -> None:
    """Answer one question per line until the input ends, each within `limit_s` seconds of processor time."""
    with suppress(OSError):  # only Linux offers it
        kernel.die_with_parent(signal.SIGKILL)
    with suppress(OSError, ValueError):  # macOS refuses a limit below the process's initial size
        kernel.set_limits({resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_AS: _MEMORY_MIB << 20})
    os.environ.clear()
    from math_verify import parse, verify

    from ssd.tasks.extraction.magnitudes import leading_zeros

    logging.disable()  # math_verify warns about its disabled limits
    replies, sys.stdout = sys.stdout, sys.stderr
    print(_READY, end="", file=replies, flush=True)
    for line in sys.stdin:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        until_s = math.ceil(usage.ru_utime + usage.ru_stime + float(limit_s))
        resource.setrlimit(resource.RLIMIT_CPU, (until_s, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        # A box delimits the answer, which may itself contain a dollar sign.
        answer, target = (parse(rf"\boxed{{{side}}}", parsing_timeout=None) for side in json.loads(line))
        # math_verify rounds to places after the point; without these, small numbers are all equal.
        zeros = leading_zeros([*answer, *target])
        verdict = verify(
            target,
            answer,
            float_rounding=6 + zeros,
            numeric_precision=15 + zeros,
            timeout_seconds=None,
            allow_set_relation_comp=True,
        )
        print(json.dumps(verdict), file=replies, flush=True)
