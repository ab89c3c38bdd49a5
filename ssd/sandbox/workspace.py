"""How much a program keeps in its working directory, as seen from outside.

In namespaces the directory is a file system of its own, which the kernel bounds and nobody else sees. Under Landlock it
is a directory like any other, where the kernel bounds each file and not their sum.
"""

from __future__ import annotations

import os
from contextlib import suppress

MOST_ENTRIES = 1024
"""Files and folders; in namespaces the kernel bounds them."""


def exceeds(folder: str, most_bytes: int) -> bool:
    """Say whether the folder holds more bytes or more entries than a program may keep, or hides what it holds."""
    entries = total = 0
    try:
        # By descriptor: a path may be longer than the kernel takes.
        for _, folders, files, descriptor in os.fwalk(folder, onerror=_unless_removed):
            entries += len(folders) + len(files)
            for file in files:
                with suppress(FileNotFoundError):
                    total += os.stat(file, dir_fd=descriptor, follow_symlinks=False).st_size
            if total > most_bytes or entries > MOST_ENTRIES:
                return True
    except (OSError, RecursionError):  # a folder that nobody may look into, or far down, may hold anything
        return True
    return False


def _unless_removed(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
