"""Who may measure on a device at the same time, within a process and between two."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ssd
from ssd.run import device_lock as device_locks
from ssd.run import runner
from ssd.run.device_lock import FOLDER_VARIABLE, WAYS_OUT, DeviceHeldError, device_lock, lock_file

CPU = torch.device("cpu")
PATIENCE = 1000
"""Looks at what another thread is about to do."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "locks"))
    return tmp_path / "locks"


def refused(exclusive: bool) -> str | None:
    """Why the device cannot be had without waiting; None if it can."""
    try:
        with device_lock(CPU, exclusive, "another run", tell=None):
            return None
    except DeviceHeldError as error:
        return str(error)


def signed() -> list[str]:
    """The lines of the lock: processes and their names, the latest last."""
    return lock_file(CPU).read_text().splitlines()


def see(happened: Callable[[], bool], waiter: threading.Thread | multiprocessing.Process) -> None:
    """Return when the waiter has done this; fail, and do not hang, if it never does."""
    for _ in range(PATIENCE):
        if happened():
            return
        waiter.join(0.01)
    pytest.fail("the waiter never did what this test waits for")


@pytest.mark.parametrize(
    ("held", "wanted", "together"),
    [(True, True, False), (True, False, False), (False, True, False), (False, False, True)],
)
def test_only_runs_that_time_nothing_share_a_device(held, wanted, together):
    with device_lock(CPU, held, "one run"):
        message = refused(wanted)
    assert (message is None) is together
    if message:
        assert message == f"cpu is in use by process {os.getpid()} (one run); another run waits for it"
    assert refused(wanted) is None, "and nobody holds it afterwards"


def test_all_who_share_it_are_named():
    with device_lock(CPU, False, "one run"), device_lock(CPU, False, "two runs"):
        assert "(two runs)" in refused(True)
    with device_lock(CPU, True, "three runs"):
        assert "two runs" not in refused(False), "those have let go"


def test_a_waiting_run_says_for_whom_once_and_goes_on():
    told: list[str] = []
    has_begun = threading.Event()

    def wait() -> None:
        with device_lock(CPU, True, "the patient", told.append):
            has_begun.set()

    with device_lock(CPU, False, "one run"):
        waiter = threading.Thread(target=wait)
        waiter.start()
        see(lambda: bool(told), waiter)
        assert not has_begun.is_set()
    waiter.join()
    assert has_begun.is_set()
    assert told == [f"cpu is in use by process {os.getpid()} (one run); the patient waits for it; {WAYS_OUT}"]


def test_a_notebook_that_waits_at_every_call_prints_one_line(capsys, monkeypatch):
    monkeypatch.setattr(device_locks, "_SAID", [])
    model = ssd.load("llada_tiny", device="cpu")
    printed = ""
    for turn in range(2):
        waiter = threading.Thread(target=ssd.decode, args=(model, "2 + 3 ="), kwargs={"gen_length": 1})
        with device_lock(CPU, True, f"run {turn}"):
            waiter.start()
            see(lambda: signed()[-1] == f"{os.getpid()} ssd.decode, which waits", waiter)
        waiter.join()
        printed += capsys.readouterr().out
    assert printed == f"cpu is in use by process {os.getpid()} (run 0); ssd.decode waits for it; {WAYS_OUT}\n"


def test_those_who_share_let_one_in_who_wants_it_alone():
    """One always holds it, and begins before another ends; yet none of them overtakes the patient."""
    told: list[str] = []
    has_begun = threading.Event()

    def wait() -> None:
        with device_lock(CPU, True, "the patient", told.append):
            has_begun.set()

    waiter = threading.Thread(target=wait)
    with device_lock(CPU, False, "one run"):
        waiter.start()
        # Newcomers wait behind the patient, though they would share.
        see(lambda: bool(told) and refused(False) is not None, waiter)
        assert not has_begun.is_set()
    waiter.join()
    assert refused(False) is None


def test_a_run_signs_once_however_many_pieces_it_has():
    for _ in range(100):
        with device_lock(CPU, False, "one run"):
            pass
    assert lock_file(CPU).read_text() == f"{os.getpid()} one run\n"


def hold_for_ever(has_begun) -> None:
    with device_lock(CPU, True, "the killed"):
        has_begun.set()
        threading.Event().wait()


def test_a_killed_process_holds_nothing():
    context = multiprocessing.get_context("fork")
    has_begun = context.Event()
    process = context.Process(target=hold_for_ever, args=(has_begun,), daemon=True)
    process.start()
    assert has_begun.wait(10)
    assert f"process {process.pid} (the killed)" in refused(False)
    process.kill()
    process.join()
    assert refused(True) is None


def test_the_lock_of_all_users_can_be_taken_by_all(monkeypatch, tmp_path):
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with device_lock(CPU, True, "one run"):
        file = lock_file(CPU)
        assert file.parent.parent == tmp_path
        assert file.stat().st_mode & 0o777 == 0o666
        assert file.parent.stat().st_mode & 0o1777 == 0o1777


def test_a_process_that_waits_is_named_as_one_that_waits():
    context = multiprocessing.get_context("fork")
    with device_lock(CPU, False, "one run"):
        process = context.Process(target=hold_for_ever, args=(context.Event(),), daemon=True)
        process.start()
        named = f"process {os.getpid()} (one run) and process {process.pid} (the killed, which waits)"
        see(lambda: refused(True) == f"cpu is in use by {named}; another run waits for it", process)
        process.kill()
        process.join()


@pytest.mark.parametrize("timing", [True, False])
@pytest.mark.slow
def test_a_run_holds_its_device_while_it_measures(timing, short_run, monkeypatch):
    """Alone if it is timed; the model is loaded under the lock, too."""
    found: list[tuple[bool, bool]] = []

    def watched(call):
        def watch(*arguments):
            found.append((refused(True) is None, refused(False) is None))
            return call(*arguments)

        return watch

    for name in ("load_run", "_decode", "_audit"):
        monkeypatch.setattr(runner, name, watched(getattr(runner, name)))
    short_run("llada", f"runtime.timing={timing}")
    assert found == [(False, not timing)] * 2 + [(False, True)], "audits share it"
    assert refused(True) is None
