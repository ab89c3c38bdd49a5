"""The process that compares answers: what it may use, what it knows, and that it outlives nobody."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from ssd.tasks.extraction.comparison import Comparison
from tests.data import REPOSITORY

ASK = """
from ssd.tasks.extraction.comparison import Comparison
comparison = Comparison(600.0)
comparison.same("1", "2")
print(comparison._process.pid, flush=True)
comparison.same("9^{9^{9}}", "17")
"""


@pytest.fixture
def comparison() -> Iterator[Comparison]:
    comparison = Comparison(limit_s=20)
    yield comparison
    comparison.close()


def fields(process_id: int) -> list[str]:
    """What the kernel says of a process after its name: state, parent, and so on; nothing if it is gone."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def runs(process_id: int) -> bool:
    return bool(fields(process_id)) and fields(process_id)[0] != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.slow
def test_it_is_limited_and_knows_no_secret(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSD_TEST_SECRET", "hunter2")
    assert comparison.same("1/2", "0.5")
    assert comparison._process is not None
    about = Path(f"/proc/{comparison._process.pid}")
    assert b"hunter2" not in (about / "environ").read_bytes()
    limits = {line[:26].strip(): line[26:].split() for line in (about / "limits").read_text().splitlines()}
    assert limits["Max address space"][:2] == [str(2 << 30)] * 2
    assert limits["Max file size"][:2] == ["0", "0"]
    first_s = int(limits["Max cpu time"][0])
    assert 20 < first_s < 120
    assert comparison.same("2/4", "0.5"), "the time is per question"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own doing")
def test_it_dies_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        helper = int(process.stdout.readline())
        begin_s = time.monotonic()
        # Busy with the second question: a number of 369,693,100 digits.
        while runs(helper) and int(fields(helper)[11]) < 1 and time.monotonic() - begin_s < 60:
            time.sleep(0.05)
        assert runs(helper)
        os.kill(process.pid, signal.SIGKILL)
    while runs(helper) and time.monotonic() - begin_s < 60:
        time.sleep(0.05)
    survived = runs(helper)
    if survived:
        os.kill(helper, signal.SIGKILL)
    assert not survived


@pytest.mark.slow
def test_a_process_that_something_kills_is_asked_again(comparison: Comparison) -> None:
    verdicts: list[bool] = []
    starter = Thread(target=lambda: verdicts.append(comparison.same("1/2", "0.5")))
    starter.start()
    starter.join()  # and with the thread goes the process that it has started
    assert comparison.same("1/2", "0.5")
    assert comparison._process is not None
    first = comparison._process
    comparison.limit_s = 1
    monitor = Thread(target=lambda: (time.sleep(0.3), first.kill()))
    monitor.start()
    assert not comparison.same("9^{9^{9}}", "17"), "killed, asked again, and not answered in time"
    monitor.join()
    comparison.limit_s = 20
    assert comparison.same("1/2", "0.5")
    assert verdicts == [True]
