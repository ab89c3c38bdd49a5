"""A trusted process that runs the data set's tests on one program after another."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import traceback
from dataclasses import asdict
from typing import Any

from ssd.sandbox.channel import Channel, set_alarm
from ssd.sandbox.errors import CandidateError, CandidateLost, SandboxError
from ssd.sandbox.program import Limits, Outcome, Program, Reason
from ssd.sandbox.protections import kernel
from ssd.sandbox.protections.protection import Protection

_DETAIL_CHARACTERS = 300
_MEMORY_MIB = 2048
_REASONS = {"MemoryError": Reason.MEMORY_LIMIT, "PermissionError": Reason.FORBIDDEN}
_MISSING = re.compile(r"No module named '([\w.]+)'.*", re.DOTALL)


def judge(program: Program, protection: Protection, limits: Limits, folder: str) -> Outcome:
    """Run the tests on the program and return the outcome; raise SandboxError if the data set's code fails."""
    scope: dict[str, Any] = {"__name__": "tests"}
    steps = (("trusted", program.trusted), ("setup", program.setup), ("tests", program.tests))
    set_alarm(limits.wall_s)
    try:
        trusted, setup, tests = (compile(source, f"<{step}>", "exec", dont_inherit=True) for step, source in steps)
        exec(trusted, scope)
    except Exception as error:
        names = ", ".join(program.names)
        raise SandboxError(f"the data set's code around {names} fails: {type(error).__name__}: {error}") from error
    finally:
        set_alarm(None)
    with Channel(protection, limits, folder) as candidate:
        try:
            outcome = _defined(candidate, program, scope)
            if outcome is None:
                exec(setup, scope)
                exec(tests, scope)
        except SandboxError:
            raise
        except CandidateError as error:
            outcome = _raised(error, candidate)
        except CandidateLost as lost:
            outcome = Outcome(lost.reason, lost.detail)
        except Exception as error:
            outcome = Outcome(Reason.WRONG_ANSWER, _failed_line(error, program.tests))
        if candidate.lost is not None:
            # Without an answer no test passes, even if it caught the error.
            outcome = Outcome(candidate.lost.reason, candidate.lost.detail)
    return Outcome(Reason.PASSED) if outcome is None else outcome


def _defined(candidate: Channel, program: Program, scope: dict[str, Any]) -> Outcome | None:
    """Run the program in the candidate and add its names to the scope of the tests. Return an outcome if it fails."""
    try:
        candidate.ask("compile", program.source)
    except CandidateError as error:
        return Outcome(Reason.SYNTAX_ERROR, f"{error.kind}: {error.message}")
    defined = candidate.ask("define", program.names)
    if not isinstance(defined, dict) or set(defined) != set(program.names):
        return Outcome(Reason.CRASHED, "it returned other names than those requested")
    scope.update(defined)
    return None


def _raised(error: CandidateError, candidate: Channel) -> Outcome:
    reason = Reason.OUTPUT_LIMIT if candidate.printed_too_much() else _REASONS.get(error.kind, Reason.EXCEPTION)
    module = _MISSING.fullmatch(error.message) if error.kind == "ModuleNotFoundError" else None
    if module:
        return Outcome(reason, f"needs {module[1]}; programs can import the standard library only")
    return Outcome(reason, f"{error.kind}: {error.message}")


def _failed_line(error: Exception, tests: str) -> str:
    """Return the failed line of the tests, with the error unless it is a plain assertion."""
    numbers = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<tests>"]
    line = tests.splitlines()[numbers[-1] - 1].strip() if numbers and numbers[-1] else "before the tests"
    message = f"{type(error).__name__}: {error}".removesuffix(": ")
    return line if message == "AssertionError" else f"{line}: {message}"


def main(protection: str, folder: str, limits: str, caller: str) -> None:
    """Read programs as lines of JSON until the input ends, and write an outcome or an error for each.

    The process ends with its caller, whose process id is `caller`.
    """
    kernel.die_with_parent(signal.SIGKILL)
    if os.getppid() != int(caller):  # it ended before the kernel got this request
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    within = Limits(**json.loads(limits))
    # Bounds the memory of the tests. The hard limit stays, because a candidate may need more.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_MIB << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))
    programs, outcomes = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for line in programs:
        record = json.loads(line)
        program = Program(**record | {"names": tuple(record["names"])})
        try:
            outcome = judge(program, Protection(protection), within, folder)
            answer = asdict(outcome) | {"detail": " ".join(outcome.detail.split())[:_DETAIL_CHARACTERS]}
        except (SandboxError, OSError) as error:
            answer = {"error": " ".join(str(error).split())}
        print(json.dumps(answer), file=outcomes, flush=True)
