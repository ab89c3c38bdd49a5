"""Lock this process in, then run a program in it."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

from ssd.sandbox.candidate import Candidate
from ssd.sandbox.program import Limits
from ssd.sandbox.protections import kernel, landlock, namespaces, seccomp
from ssd.sandbox.protections.protection import Protection, readable_paths
from ssd.sandbox.resources import set_limits


def main(protection: str, workspace: str, limits: str) -> None:
    """Serve one program on the pipes that are standard input and output, and end."""
    requests, answers = os.dup(0), os.dup(1)
    # The program reads nothing, and prints where standard error goes: to a file that the judge limits.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    try:
        _lock_in(Protection(protection), workspace, Limits(**json.loads(limits)))
    except (OSError, ValueError) as error:
        sys.exit(f"{protection}: {error}")
    os.environ.clear()
    sys.argv[:] = [""]
    sys.path.pop()  # The project, which the boot command added.
    Candidate(requests, answers).serve()
    # Whatever the program wants done at its end stays undone.
    os._exit(0)


def _lock_in(protection: Protection, workspace: str, limits: Limits) -> None:
    os.chdir(workspace)
    if protection is not Protection.LIMITS:
        kernel.die_with_parent(signal.SIGKILL)
    if protection is Protection.NAMESPACES:
        namespaces.enter(readable_paths(), workspace, limits.file_mib)
        _continue_in_child()
        namespaces.become_nobody()
        kernel.die_with_parent(signal.SIGKILL)  # Again: a change of identity forgets it.
    if protection is not Protection.LIMITS:
        kernel.renounce_privileges()
    if protection is Protection.LANDLOCK:
        landlock.restrict(readable_paths(), workspace)
    set_limits(_values(limits))
    if protection is not Protection.LIMITS:
        seccomp.apply()


def _continue_in_child() -> None:
    """Return in a child; this process waits for the child's end, and then ends in the same way."""
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


def _values(limits: Limits) -> dict[int, int]:
    return {
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_AS: limits.memory_mib << 20,
        resource.RLIMIT_FSIZE: limits.file_mib << 20,
        resource.RLIMIT_NPROC: 1,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
