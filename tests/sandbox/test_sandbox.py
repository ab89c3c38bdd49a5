"""The sandbox as a whole: several judges, their deaths, and machines without isolation."""

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssd.sandbox import boot
from ssd.sandbox import sandbox as sandbox_module
from ssd.sandbox import worker as worker_module
from ssd.sandbox.errors import SandboxError
from ssd.sandbox.program import Limits, Program, Reason
from ssd.sandbox.protections.protection import Protection
from ssd.sandbox.sandbox import Sandbox
from tests.sandbox.confined import GOOD, candidates_of, confined

SLEEP = Program("import time\ndef f():\n    time.sleep(3)", "f()", ("f",))
STUCK = Program(
    "def f():\n    return 1",
    "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)\nimport time\ntime.sleep(1000)",
    ("f",),
)


@pytest.fixture
def two(strongest: Sandbox) -> Iterator[Sandbox]:
    """A sandbox of two judges, for this test alone."""
    with confined(strongest.protection, workers=2) as sandbox:
        yield sandbox


@pytest.mark.slow
def test_outcomes_come_in_order(two: Sandbox) -> None:
    programs = [Program(f"def f():\n    return {n % 3}", "assert f() == 0", ("f",)) for n in range(9)]
    outcomes = two.run([SLEEP, *programs])
    assert [outcome.passed for outcome in outcomes] == [True, *(n % 3 == 0 for n in range(9))]
    assert two.run([]) == []
    two.close()
    assert not Path(two.folder).exists()


def test_judges_work_at_the_same_time(two: Sandbox) -> None:
    begin_s = time.monotonic()
    assert all(outcome.passed for outcome in two.run([SLEEP, SLEEP]))
    assert time.monotonic() - begin_s < 5.9


@pytest.mark.slow
def test_a_judge_that_dies_fails_its_program_only(two: Sandbox) -> None:
    # The data set's own code is trusted: here it stands for whatever else may kill a judge.
    fatal = Program("def f():\n    while 1: pass", "import os\nos.kill(os.getpid(), 9)", ("f",))
    outcomes = two.run([GOOD, fatal, GOOD, fatal, GOOD])
    assert [outcome.passed for outcome in outcomes] == [True, False, True, False, True]
    assert outcomes[1].reason is Reason.CRASHED


@pytest.mark.slow
def test_a_judge_that_dies_idle_fails_nothing(two: Sandbox) -> None:
    for worker in two._workers:
        worker._process.kill()
        worker._process.wait()
    assert all(outcome.passed for outcome in two.run([GOOD, GOOD]))


@pytest.mark.slow
def test_a_judge_that_is_stuck_is_replaced(strongest: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "STARTUP_S", 3.0)
    monkeypatch.setattr(worker_module, "_GRACE_S", 1.0)
    with confined(strongest.protection, Limits(wall_s=1, memory_mib=256)) as alone:
        stuck, good = alone.run([STUCK, GOOD])
        assert (stuck.reason, good.reason) == (Reason.TIME_LIMIT, Reason.PASSED)


ENDLESS_TESTS = {
    "a loop in C": "f()\nsum(iter(int, 1))",
    "a loop that catches everything": (
        "import time\nwhile True:\n    try:\n        f(1, 2)\n    except BaseException:\n        time.sleep(0.1)"
    ),
    "a pause": "f()\nimport time\ntime.sleep(1000)",
}


@pytest.mark.slow
def test_the_data_sets_own_code_is_inside_the_time_limit(strongest: Sandbox) -> None:
    source = "def f():\n    return 1"
    programs = [Program(source, tests, ("f",)) for tests in ENDLESS_TESTS.values()]
    programs.append(Program(source, "f()", ("f",), trusted="import time\ntime.sleep(1000)"))
    slow = Program("import time\ndef f():\n    time.sleep(1000)", "f()", ("f",))
    with confined(strongest.protection, Limits(wall_s=2, memory_mib=256), workers=2) as two:
        *endless, program, good = two.run([*programs, slow, GOOD])
    assert {outcome.reason for outcome in [*endless, program]} == {Reason.TIME_LIMIT}
    assert {outcome.detail for outcome in endless} == {"2 s ended in the data set's own code"}
    assert program.detail == "it took longer than 2 s"
    assert good.passed


@pytest.mark.parametrize("protection", Protection)
def test_the_program_dies_with_its_judge(protection: Protection, tmp_path: Path) -> None:
    called = tmp_path / "called"
    tests = f"open({str(called)!r}, 'w').close()\nf()"
    with confined(protection) as sandbox:
        sandbox._workers[0].assign(Program("import time\ndef f():\n    time.sleep(1000)", tests, ("f",)))
        begin_s = time.monotonic()
        while not called.exists() and time.monotonic() - begin_s < 60:
            time.sleep(0.02)
        assert candidates_of(sandbox)
        sandbox._workers.pop().close()
        while candidates_of(sandbox) and time.monotonic() - begin_s < 60:
            time.sleep(0.02)
        assert candidates_of(sandbox) == []


def test_an_interrupted_run_leaves_a_clean_sandbox(two: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(workers: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sandbox_module, "_ready", interrupt)
        with pytest.raises(KeyboardInterrupt):
            two.run([SLEEP, SLEEP])
    assert [outcome.passed for outcome in two.run([GOOD])] == [True]


def test_broken_data_is_no_wrong_program(two: Sandbox) -> None:
    with pytest.raises(SandboxError, match=r"data set's code around f fails: SyntaxError"):
        two.run([Program("def f(): pass", "assert f(", ("f",))])


def test_tests_that_pass_what_cannot_be_sent(two: Sandbox) -> None:
    with pytest.raises(SandboxError, match=r"passes an object of type function; expected plain data"):
        two.run([Program("def f(x): pass", "f(lambda: 1)", ("f",))])


@pytest.mark.slow
def test_processes_start_fresh(sandbox: Sandbox) -> None:
    # A forked process would know the modules and the memory of this one.
    program = Program("import sys\ndef f(name):\n    return name in sys.modules", "assert not f('pytest')", ("f",))
    assert sandbox.run([program])[0].passed


def test_the_description_is_one_line_that_names_the_protection(sandbox: Sandbox) -> None:
    line = sandbox.describe()
    assert "\n" not in line
    for word in (sandbox.protection.value, "seccomp", "no_new_privs", "4 s", "256 mib"):
        assert word in line.casefold()


def test_an_installed_package_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other packages beside ssd stay unreachable, and `ssd/__init__.py` does not run."""
    shutil.copytree(Path(boot._PACKAGE) / "sandbox", tmp_path / "ssd" / "sandbox")
    (tmp_path / "ssd" / "__init__.py").write_text("raise RuntimeError('heavy')")
    (tmp_path / "neighbour.py").write_text("")
    monkeypatch.setattr(boot, "_PACKAGE", tmp_path / "ssd")
    with Sandbox(workers=1, allow_unsafe=True) as sandbox:
        outcomes = sandbox.run([GOOD, Program("import neighbour\ndef f():\n    pass", "f()", ("f",))])
    assert outcomes[0].passed
    assert outcomes[1].detail.startswith("needs neighbour;")


def test_without_isolation_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_module, "acceptable", lambda allow_unsafe: list(Protection) if allow_unsafe else [])
    with pytest.raises(SandboxError, match=r"cannot isolate .*task\.allow_unsafe_code=true") as caught:
        Sandbox()
    assert "\n" not in str(caught.value)


def test_the_refusal_says_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boot, "command", lambda module, *arguments: [sys.executable, "-c", "raise SystemExit(1)"])
    with pytest.raises(SandboxError, match=r"namespaces: crashed, its judge ended; landlock: crashed"):
        Sandbox()


@pytest.mark.slow
@pytest.mark.parametrize("protection", [Protection.SYSTEM_CALLS, Protection.LIMITS])
def test_unsafe_code_runs_where_it_is_allowed(protection: Protection) -> None:
    with confined(protection) as sandbox:
        assert "UNSAFE" in sandbox.describe()
        loop = Program("def f():\n    while 1: pass", "f()", ("f",))
        exits = Program("import os\nos._exit(0)", "f()", ("f",))
        reasons = [outcome.reason for outcome in sandbox.run([GOOD, loop, exits, GOOD])]
        assert reasons == [Reason.PASSED, Reason.TIME_LIMIT, Reason.CRASHED, Reason.PASSED]
        assert candidates_of(sandbox) == []


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_workers_must_be_a_count(workers: int) -> None:
    with pytest.raises(ValueError, match=r"workers is .*expected an integer of at least 1; pass workers=1"):
        Sandbox(workers)
