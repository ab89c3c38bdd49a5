"""Who measures on a device: a timing run has it to itself, runs that time nothing share it, on one machine."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

FOLDER_VARIABLE = "SSD_DEVICE_LOCKS"
"""Environment variable naming the folder of the locks; unset: one in the machine's temporary folder, for all users."""


class DeviceHeldError(BlockingIOError):
    """Others measure on the device, as the message says."""


@contextmanager
def device_lock(
    device: torch.device, exclusive: bool, owner: str, tell: Callable[[str], None] | None = print
) -> Iterator[None]:
    """Hold a device, alone or with others who do not time; owner: what others are told they wait for.

    Where it is held otherwise: `tell` is given one line, and then it is waited for; without `tell`, DeviceHeldError.
    The system lets go of it when the process ends, however it does. Who waits stands in a turnstile that newcomers must
    pass, or those who share a device piece by piece would never leave it to one who wants it alone.
    """
    file = lock_file(device)
    held, turnstile = _open(file), _open(file.with_suffix(".next"))
    try:
        try:
            if not (_try(turnstile, exclusive) and _try(held, exclusive)):
                message = f"{device} is measured on by {_holders(held)}; {owner} waits for it"
                if tell is None:
                    raise DeviceHeldError(message)
                tell(message)
                _sign(held, owner)
                _wait(turnstile, exclusive)
                _wait(held, exclusive)
        finally:
            os.close(turnstile)
        if exclusive:
            os.ftruncate(held, 0)  # what those left who are gone
        _sign(held, owner)
        yield
    finally:
        os.close(held)


def lock_file(device: torch.device) -> Path:
    """One file per device of this machine, by its own name: what is cuda:0 here may be cuda:1 to another process."""
    name = f"cuda-{torch.cuda.get_device_properties(device).uuid}" if device.type == "cuda" else device.type
    folder = os.environ.get(FOLDER_VARIABLE) or Path(tempfile.gettempdir()) / "ssd-benchmark"
    return Path(folder) / f"{name}.lock"


def _open(file: Path) -> int:
    """Open for everybody: another user's file is not created anew, which the system forbids in shared folders."""
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
    """Leave process and owner in the file, for those who find it held; not again for every piece of the same run."""
    if _signed(held).get(str(os.getpid())) != owner:
        os.write(held, f"{os.getpid()} {owner}\n".encode())


def _signed(held: int) -> dict[str, str]:
    """The last owner that each process has signed for."""
    lines = os.pread(held, os.fstat(held).st_size, 0).decode(errors="replace").splitlines()
    return {pid: owner for pid, _, owner in (line.partition(" ") for line in lines) if pid.isdigit()}


def _holders(held: int) -> str:
    """Who has signed the file and still runs: those who share a device or wait for it may be several."""
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
