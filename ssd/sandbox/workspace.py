"""Check the size of a program's working folder from outside.

In namespaces the folder is a file system of its own, whose size the kernel limits. Under Landlock it is an ordinary
folder, where the kernel limits the size of each file but not their sum.
"""

from __future__ import annotations

import os
from contextlib import suppress

MOST_ENTRIES = 1024
"""Limit of files and folders together."""


def exceeds(folder: str, most_bytes: int) -> bool:
    """Return whether the folder exceeds the limit of bytes or entries, or cannot be read."""
    entries = total = 0
    try:
        # Uses descriptors, because a path may be too long for the kernel.
        for _, folders, files, descriptor in os.fwalk(folder, onerror=_unless_removed):
            entries += len(folders) + len(files)
            for file in files:
                with suppress(FileNotFoundError):
                    total += os.stat(file, dir_fd=descriptor, follow_symlinks=False).st_size
            if total > most_bytes or entries > MOST_ENTRIES:
                return True
    except (OSError, RecursionError):  # an unreadable or too deep folder may contain anything
        return True
    return False


def _unless_removed(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
