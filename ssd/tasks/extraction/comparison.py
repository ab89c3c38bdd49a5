"""Compare mathematical answers by value, in a process of its own.

SymPy can compute for hours on one answer (`(x+1)^{1000}`, `2^{2^{30}}`). math_verify's own limits stand on SIGALRM,
which needs a main thread and cannot interrupt one long multiplication; a process can be ended from any thread. It
reads what a model wrote, so it is also limited in memory and time, knows no environment variable, and dies with its
parent.
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
from ssd.sandbox.resources import set_limits

_START_LIMIT_S = 300.0  # SymPy's first import, from a disk that others use
_READY = "ready\n"
_MEMORY_MIB = 2048


class Comparison:
    """A process that compares answers, one after the other: started when first asked, replaced once ended."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        atexit.register(self.close)

    def same(self, answer: str, target: str) -> bool:
        """Say whether both have the same value; they have not if that takes longer than the limit."""
        with self._lock:
            verdict = self._verdict(answer, target)
            # The kernel ends the process with the thread that started it, maybe while another one asks.
            if verdict is None:
                verdict = self._verdict(answer, target)
            return verdict == "true\n"

    def close(self) -> None:
        with self._lock:
            self._end()

    def _verdict(self, answer: str, target: str) -> str | None:
        """Return the process's line, an empty one if it came to none, or None if something else has killed it."""
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
        raise ImportError(
            "math-verify is not installed, and MATH's answers are compared with it; "
            'pip install "math-verify[antlr4_9_3]==0.9.0"'
        )
    # math_verify may be on the path that the user has set; no other variable of the user's is the process's business.
    path = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    process = subprocess.Popen(
        boot.command("tasks.extraction.comparison", str(limit_s), packages=True),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="ascii",
        # SymPy orders by hash in places, and every run shall go the same way, as this environment makes it.
        env=boot.environment() | path,
        cwd=os.sep,
        # Ctrl-C is for the process that asks.
        start_new_session=True,
    )
    if _line(process, _START_LIMIT_S) != _READY:
        process.kill()
        with process:
            raise RuntimeError("the process that compares answers did not start; what it printed says why")
    return process


def _line(process: subprocess.Popen[str], limit_s: float) -> str | None:
    """Return the next line that the process writes: none of it if it does not write in time, None if it has ended."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], limit_s)
    return (process.stdout.readline() or None) if ready else ""


def main(limit_s: str) -> None:
    """Answer one question a line, each within so much processor time, until there are no more."""
    with suppress(OSError):  # Linux alone offers it
        kernel.die_with_parent(signal.SIGKILL)
    with suppress(OSError, ValueError):  # macOS takes no limit below the addresses that a process begins with
        set_limits({resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_AS: _MEMORY_MIB << 20})
    os.environ.clear()
    from math_verify import parse, verify

    logging.disable()  # math_verify warns that its limits are off
    replies, sys.stdout = sys.stdout, sys.stderr
    print(_READY, end="", file=replies, flush=True)
    for line in sys.stdin:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        until_s = math.ceil(usage.ru_utime + usage.ru_stime + float(limit_s))
        resource.setrlimit(resource.RLIMIT_CPU, (until_s, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        # In a box, because a dollar sign may belong to an answer.
        answer, target = (parse(rf"\boxed{{{side}}}", parsing_timeout=None) for side in json.loads(line))
        verdict = verify(target, answer, timeout_seconds=None, allow_set_relation_comp=True)
        print(json.dumps(verdict), file=replies, flush=True)
