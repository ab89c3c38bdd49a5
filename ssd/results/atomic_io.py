"""Writes of whole files and whole lines, with an error of one line where the disk refuses them."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

FULL = "make room there and type the same line again, which goes on where it stopped"
ELSEWHERE = "choose a folder that can be written (results_dir=FOLDER, --out FOLDER)"
REFUSALS = {
    errno.ENOSPC: ("the disk is full", FULL),
    errno.EDQUOT: ("your share of the disk is used up", FULL),
    errno.EROFS: ("the disk is read-only", ELSEWHERE),
    errno.EACCES: ("it is not yours to write", ELSEWHERE),
    errno.ENOENT: ("no such folder is there, nor can it be made", ELSEWHERE),
    errno.ENOTDIR: ("a part of its path is a file", ELSEWHERE),
    errno.EPERM: ("it is not yours to write", ELSEWHERE),
}
ROOM_BYTES = 2**16
LOCK = ".lock"
"""Name of the file that locks its folder. Locks of folders themselves do not reach other nodes of a network disk."""


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Raise OSError in one line for a full or read-only disk, with `path`, reason and remedy."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        reason, remedy = REFUSALS[error.errno]
        raise OSError(
            f"{path} cannot be written: {reason} ({error.strerror}); what was stored before is whole; {remedy}"
        ) from error


def make_folder(folder: Path) -> None:
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def require_room(folder: Path) -> None:
    """Make the folder and write a small file there as a test. Raises OSError in one line if that fails."""
    make_folder(folder)
    probe = folder / f".room-{os.getpid()}"
    with storing(folder):
        try:
            _write(probe, bytes(ROOM_BYTES))
        finally:
            probe.unlink(missing_ok=True)


def append_line(file: Path, text: str) -> None:
    """Add one line and wait for the disk; a line that cannot be written whole is cut off again."""
    with storing(file), file.open("ab", buffering=0) as stream:
        before = stream.seek(0, os.SEEK_END)
        try:
            _write_all(stream, text.encode() + b"\n")
        except BaseException:
            stream.truncate(before)
            raise


def cut_torn_line(file: Path) -> None:
    """Cut off what follows the last whole line of a file, which a killed process has left, if there is a file."""
    if file.is_file():
        with file.open("rb") as lines:
            whole = sum(len(line) for line in lines if line.endswith(b"\n"))
        if whole < file.stat().st_size:
            os.truncate(file, whole)


def write_atomically(file: Path, text: str) -> None:
    """Write beside the target, flush to disk, rename: a reader sees the old file or the new one, both whole."""
    partial = file.with_name(file.name + ".partial")
    with storing(file):
        try:
            _write(partial, text.encode())
            partial.replace(file)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    write_atomically(file, json.dumps(content, indent=2) + "\n")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes. Raises BlockingIOError if one has locked it. A kill unlocks it."""
    lock = FileLock(folder / LOCK, mode=0o666)
    with storing(folder / LOCK):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise BlockingIOError(str(error)) from error
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool:
    """Return whether a process has locked the folder now."""
    if not (folder / LOCK).is_file():
        return False
    try:
        with locked(folder):
            return False
    except BlockingIOError:
        return True


def _write(file: Path, content: bytes) -> None:
    with file.open("wb", buffering=0) as stream:
        _write_all(stream, content)


def _write_all(stream: BinaryIO, content: bytes) -> None:
    """Write without a buffer, because a buffer would write again when it is closed; wait for the disk."""
    left = memoryview(content)
    while left:
        left = left[stream.write(left) :]
    os.fsync(stream.fileno())
