"""The temporary folder of a sandbox, and the removal of folders that killed runs left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "ssd-sandbox."


class LockedFolder:
    """A new temporary folder, locked while this process or a fork of it lives. Unlocked folders are abandoned."""

    def __init__(self) -> None:
        parent = tempfile.gettempdir()
        # The parent's lock prevents another process from removing this folder before it is locked.
        with _locked(parent):
            for path in Path(parent).glob(f"{_PREFIX}*"):
                _remove_if_unlocked(path)
            self._temporary = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent, ignore_cleanup_errors=True)
            self.name = self._temporary.name
            self._descriptor = _lock(self.name, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def cleanup(self) -> None:
        """Remove the folder and its contents. A second call does nothing."""
        self._temporary.cleanup()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _remove_if_unlocked(path: Path) -> None:
    with suppress(OSError):  # another user's, in use, or already removed
        descriptor = _lock(str(path), fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    descriptor = _lock(path, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: str, operation: int) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, operation)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
