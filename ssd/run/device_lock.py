"""Lock a device of this machine: a timed run holds it alone; untimed runs and audits share it."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

FOLDER_VARIABLE = "SSD_DEVICE_LOCKS"
"""Environment variable with the folder of the locks; default: one in the temporary folder, for all users."""

WAYS_OUT = (
    "it starts by itself then. Ctrl-C ends the wait and loses nothing; runtime.device= chooses another device, and "
    "untimed runs (runtime.timing=false) share one"
)
"""What a waiting user can do."""


_SAID: list[str] = []
"""What `say_first` has printed."""


def say_first(message: str) -> None:
    """Print the first message of this process alone: a notebook would show one at each call that waits."""
    if not _SAID:
        _SAID.append(message)
        print(message)


class DeviceHeldError(BlockingIOError):
    """Another process holds the device."""


@contextmanager
def device_lock(
    device: torch.device, exclusive: bool, owner: str, tell: Callable[[str], None] | None = print
) -> Iterator[None]:
    """Hold a device, alone (exclusive) or together with other untimed work; owner: the name that waiters are shown.

    If another process holds it, pass one line to `tell` and wait; without `tell` raise DeviceHeldError. The system
    releases the lock when the process ends, even by a kill. A waiter holds a second lock, the turnstile, which every
    newcomer must pass: else processes that share the device in turn would never leave it to an exclusive one.
    """
    file = lock_file(device)
    held, turnstile = _open(file), _open(file.with_suffix(".next"))
    try:
        try:
            if not (_try(turnstile, exclusive) and _try(held, exclusive)):
                message = f"{device} is in use by {_holders(held)}; {owner} waits for it"
                if tell is None:
                    raise DeviceHeldError(message)
                tell(f"{message}; {WAYS_OUT}")
                _sign(held, f"{owner}, which waits")
                _wait(turnstile, exclusive)
                _wait(held, exclusive)
        finally:
            os.close(turnstile)
        if exclusive:
            os.ftruncate(held, 0)  # names of former holders
        _sign(held, owner)
        yield
    finally:
        os.close(held)


def lock_file(device: torch.device) -> Path:
    """Return the lock file of a device, named by its UUID: cuda:0 may be cuda:1 in another process."""
    name = f"cuda-{torch.cuda.get_device_properties(device).uuid}" if device.type == "cuda" else device.type
    folder = os.environ.get(FOLDER_VARIABLE) or Path(tempfile.gettempdir()) / "ssd-benchmark"
    return Path(folder) / f"{name}.lock"


def _open(file: Path) -> int:
    """Open the file for all users. Another user's file is only opened: shared folders forbid creating it anew."""
    if not file.parent.is_dir():
        file.parent.mkdir(parents=True, exist_ok=True)
        if FOLDER_VARIABLE not in os.environ:
            file.parent.chmod(0o1777)
    try:
        return os.open(file, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        held = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        os.fchmod(held, 0o666)  # whatever the umask says
        return held


def _try(held: int, exclusive: bool) -> bool:
    try:
        fcntl.flock(held, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(held: int, exclusive: bool) -> None:
    fcntl.flock(held, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)


def _sign(held: int, owner: str) -> None:
    """Add process and owner to the file, for the message of waiters; once per run, not per piece."""
    if _signed(held).get(str(os.getpid())) != owner:
        os.write(held, f"{os.getpid()} {owner}\n".encode())


def _signed(held: int) -> dict[str, str]:
    """Return the last owner that each process has signed for."""
    lines = os.pread(held, os.fstat(held).st_size, 0).decode(errors="replace").splitlines()
    return {pid: owner for pid, _, owner in (line.partition(" ") for line in lines) if pid.isdigit()}


def _holders(held: int) -> str:
    """Return the signed processes that still run: several may share a device or wait for it."""
    names = [f"process {pid} ({owner})" for pid, owner in _signed(held).items() if _runs(pid)]
    return " and ".join(names) or "another process"


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
