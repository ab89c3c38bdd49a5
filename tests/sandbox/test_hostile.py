"""Programs that would harm the machine. Each is bounded, so that a sandbox that fails to hold it takes nothing down."""

import time
from pathlib import Path

import pytest

from ssd.sandbox.program import Program, Reason
from ssd.sandbox.sandbox import Sandbox
from tests.sandbox.confined import GOOD, Judge, candidates_of

FORKS = """
    import os, time

    def f():
        started = 0
        for _ in range(200):
            try:
                if os.fork() == 0:
                    time.sleep(3)
                    os._exit(0)
                started += 1
            except OSError:
                pass
        return started
"""
THREADS = """
    import threading, time

    def f():
        started = 0
        for _ in range(200):
            try:
                threading.Thread(target=time.sleep, args=(3,)).start()
                started += 1
            except (OSError, RuntimeError):
                pass
        return started
"""


@pytest.mark.parametrize("bomb", [FORKS, THREADS], ids=["processes", "threads"])
@pytest.mark.slow
def test_bombs_start_nothing(judge: Judge, bomb: str) -> None:
    assert judge(bomb, "assert f() == 0").passed
    assert not judge(bomb.replace("except (OSError, RuntimeError)", "except OSError"), "assert f() == 200").passed


def test_a_fork_bomb_fails(judge: Judge) -> None:
    outcome = judge("import os\ndef f():\n    for _ in range(8):\n        os.fork()", "f()")
    assert outcome.reason is Reason.FORBIDDEN


@pytest.mark.parametrize("call", ["os.posix_spawn('/usr/bin/env', ['env'], {})", "os.execv('/usr/bin/env', ['env'])"])
def test_no_other_program_starts(judge: Judge, call: str) -> None:
    assert judge(f"import os\ndef f():\n    {call}", "f()").reason is Reason.FORBIDDEN


def test_a_memory_bomb_fails(judge: Judge) -> None:
    bomb = "def f():\n    return len([bytearray(1 << 20) for _ in range(2000)])"
    assert judge(bomb, "assert f() == 2000").reason is Reason.MEMORY_LIMIT


def test_an_endless_loop_ends_with_its_processor_time(judge: Judge) -> None:
    outcome = judge("def f():\n    while True:\n        pass", "f()")
    assert outcome.reason is Reason.TIME_LIMIT


def test_sleep_ends_with_the_clock(judge: Judge) -> None:
    begin_s = time.monotonic()
    outcome = judge("import time\ntime.sleep(60)\ndef f():\n    pass", "f()")
    assert outcome.reason is Reason.TIME_LIMIT
    assert time.monotonic() - begin_s < 30


def test_signals_do_not_stop_the_clock(judge: Judge) -> None:
    source = """
        import signal, time
        for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        def f():
            while True:
                pass
    """
    assert judge(source, "f()").reason is Reason.TIME_LIMIT


@pytest.mark.parametrize("write", ["print('x' * 1_000_000, flush=True)", "os.write(2, b'x' * 1_000_000)"])
def test_an_output_flood_fails(judge: Judge, write: str) -> None:
    outcome = judge(f"import os\ndef f():\n    for _ in range(100):\n        {write}\n    return 1", "assert f() == 1")
    assert not outcome.passed
    assert outcome.reason in (Reason.OUTPUT_LIMIT, Reason.TIME_LIMIT)


def test_deep_recursion_crashes_only_the_program(judge: Judge) -> None:
    # Nested too deep for C's stack: the interpreter dies of a segmentation fault.
    source = """
        import sys
        def f():
            sys.setrecursionlimit(10 ** 7)
            nested = None
            for _ in range(10 ** 6):
                nested = [nested]
            return repr(nested)
    """
    outcome = judge(source, "f()")
    assert not outcome.passed
    # On a busy machine its time may end before its stack does.
    assert outcome.reason in (Reason.CRASHED, Reason.MEMORY_LIMIT, Reason.TIME_LIMIT)


def test_nothing_is_left_of_a_program(sandbox: Sandbox) -> None:
    sources = (
        "def f():\n    while 1: pass",
        "import os\nos._exit(0)",
        "open('mine', 'w').write('x')\ndef f():\n    pass",
    )
    sandbox.run([*(Program(source, "f()", ("f",)) for source in sources), GOOD])
    assert list(Path(sandbox.folder).iterdir()) == []
    assert candidates_of(sandbox) == []
