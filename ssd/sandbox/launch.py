"""Confine this process, then run a program in it.

Each program starts this module anew. So it imports little: neither dataclasses nor pathlib.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

from ssd.sandbox.candidate import Candidate
from ssd.sandbox.protections import kernel, landlock, namespaces, seccomp
from ssd.sandbox.protections.protection import Protection, readable_paths


def main(protection: str, workspace: str, limits: str) -> None:
    """Serve one program on the pipes of standard input and output, then end the process."""
    requests, answers = os.dup(0), os.dup(1)
    # The program finds an empty standard input. It prints to the file of standard error, whose size is limited.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        _confine(Protection(protection), workspace, json.loads(limits))
    except (OSError, ValueError) as error:
        sys.exit(f"{protection}: {error}")
    os.environ.clear()
    sys.argv[:] = [""]
    Candidate(requests, answers).serve()
    # Exit handlers of the program do not run.
    os._exit(0)


def _confine(protection: Protection, workspace: str, limits: dict[str, int]) -> None:
    os.chdir(workspace)
    kernel.die_with_parent(signal.SIGKILL)
    if protection is Protection.NAMESPACES:
        namespaces.enter(readable_paths(), workspace, limits["file_mib"])
        _continue_in_child()
        namespaces.become_nobody()
        kernel.die_with_parent(signal.SIGKILL)  # a change of user cancels the first request
    if protection is not Protection.LIMITS:
        kernel.renounce_privileges()
    if protection is Protection.LANDLOCK:
        landlock.restrict(readable_paths(), workspace)
    kernel.set_limits(_by_resource(limits))
    if protection is not Protection.LIMITS:
        seccomp.apply()


def _continue_in_child() -> None:
    """Return in a child process. The parent waits for the child and ends with the same status."""
    child = os.fork()
    if child == 0:
        return
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _by_resource(limits: dict[str, int]) -> dict[int, int]:
    return {
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_AS: limits["memory_mib"] << 20,
        resource.RLIMIT_FSIZE: limits["file_mib"] << 20,
        resource.RLIMIT_NPROC: 1,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
