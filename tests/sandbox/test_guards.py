"""Guards one by one: each test is about one line of the sandbox, and fails when that line is gone."""

from textwrap import dedent

import pytest

from ssd.sandbox.program import Program, Reason
from ssd.sandbox.protections.namespaces import NOBODY
from ssd.sandbox.protections.protection import Protection
from ssd.sandbox.protections.system_calls import conditional_numbers
from tests.sandbox.confined import Judge, candidates_of, confined


@pytest.mark.slow
def test_a_program_adds_no_name_to_those_of_its_tests(judge: Judge) -> None:
    lie = """
        import sys
        wire = sys.modules["ssd.sandbox.wire"]
        encode = wire.encode
        def f(x):
            return 0
        def lying(value, number_of, depth=0):
            if isinstance(value, dict) and "f" in value:
                value = {**value, "abs": lambda x: 0.0}
            return encode(value, number_of, depth)
        wire.encode = lying
    """
    outcome = judge(lie, "assert abs(f(3) - 99.25) < 1e-6")
    assert outcome.reason is Reason.CRASHED
    assert "other names than those requested" in outcome.detail


def test_signals_and_limits_are_for_the_program_itself(judge: Judge) -> None:
    source = """
        import ctypes, errno, os, resource

        library = ctypes.CDLL(None, use_errno=True)

        def refused(name, *arguments):
            ctypes.set_errno(0)
            return getattr(library, name)(*arguments) < 0 and ctypes.get_errno() == errno.EPERM

        def f(tgkill):
            # No such process: without the filter, the kernel would say so.
            mine, nobody = os.getpid(), 1 << 21
            others = [refused("syscall", tgkill, nobody, nobody, 0), refused("kill", nobody, 0)]
            others.append(refused("prlimit64", nobody, resource.RLIMIT_CPU, None, None))
            own = [refused("syscall", tgkill, mine, mine, 0), refused("kill", mine, 0)]
            return others, own
    """
    number = conditional_numbers()["tgkill"]
    assert judge(source, f"assert f({number}) == ([True] * 3, [False] * 2)").passed


def test_no_capability_is_left(judge: Judge) -> None:
    source = """
        import os, resource

        def raises_a_limit():
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
            except (OSError, ValueError):
                return False
            return True

        def reads_what_it_may_not():
            os.close(os.open("locked", os.O_CREAT | os.O_WRONLY, 0))
            try:
                open("locked").close()
            except PermissionError:
                return False
            return True

        def f():
            return raises_a_limit(), reads_what_it_may_not()
    """
    assert judge(source, "assert f() == (False, False)").passed


def test_in_namespaces_a_program_is_nobody() -> None:
    source = "import os\ndef f():\n    return [*os.getresuid(), *os.getresgid(), *set(os.getgroups())]"
    with confined(Protection.NAMESPACES) as sandbox:
        program = Program(source, f"assert set(f()) == {{{NOBODY}}}", ("f",))
        assert sandbox.run([program])[0].passed


def test_what_tests_make_of_an_answer_is_bounded(judge: Judge) -> None:
    # Zeros that are never touched: without the limit this takes addresses and no memory.
    outcome = judge("def f():\n    return 3 << 30", "assert len(bytes(f())) == 3 << 30")
    assert outcome.reason is Reason.WRONG_ANSWER
    assert "MemoryError" in outcome.detail


def test_processes_of_an_unprotected_program_end_with_it() -> None:
    source = dedent("""
        import os, time
        def f():
            try:
                child = os.fork()
            except OSError:
                return False
            if child == 0:
                time.sleep(30)
                os._exit(0)
            return True
    """)
    with confined(Protection.LIMITS) as sandbox:
        forked, _ = sandbox.run([Program(source, "assert f()", ("f",)), Program(source, "assert not f()", ("f",))])
        if not forked.passed:
            pytest.skip("RLIMIT_NPROC binds this user: no program can fork here")
        assert candidates_of(sandbox) == []


def test_a_missing_module_is_named(judge: Judge) -> None:
    outcome = judge("import numpy.linalg as la\ndef f():\n    return 1", "assert f() == 1")
    assert (outcome.reason, outcome.detail[:12]) == (Reason.EXCEPTION, "needs numpy;")
