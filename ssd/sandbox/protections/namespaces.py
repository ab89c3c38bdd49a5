"""Linux namespaces: a process that sees no other process, no network, and a root with hardly anything in it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ssd.sandbox.protections import kernel
from ssd.sandbox.protections.system_calls import number_of
from ssd.sandbox.workspace import MOST_ENTRIES

NOBODY = 65534
WORK = "/tmp"
"""The directory, inside the new root, that a program starts in and may write to."""

_NEW_USER = 0x10000000
# Mounts, host name, System V IPC, processes, network.
_NEW_OTHERS = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000

_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXECUTION = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH = 2


def enter(readable: Sequence[str], root: str, work_mib: int) -> None:
    """Move this process into new namespaces. Its next child is the first process of the new ones.

    `root` is an empty directory to build the new root on.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.call("unshare", _NEW_OTHERS)
    except PermissionError:
        kernel.call("unshare", _NEW_USER | _NEW_OTHERS)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")
    _mount("none", "/", "", _RECURSIVE | _PRIVATE)
    _mount("tmpfs", root, "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755,size=1m")
    os.mkdir(root + WORK)
    _mount(
        "tmpfs", root + WORK, "tmpfs", _NO_SUID | _NO_DEVICES, f"mode=1777,size={work_mib}m,nr_inodes={MOST_ENTRIES}"
    )
    for path in readable:
        _show(path, root)
    for point in _mount_points(root):
        if point != root + WORK:
            # In a user namespace a mount keeps the flags it had, and must be told so.
            kept = os.statvfs(point).f_flag & _NO_EXECUTION
            _mount("none", point, "", _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES | kept)
    os.chdir(root)
    kernel.system_call("pivot_root", number_of("pivot_root"), b".", b".")
    kernel.call("umount2", b".", _DETACH)
    os.chdir(WORK)


def become_nobody() -> None:
    """Leave root's identity where this is root's; in a user namespace it was left on entering."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _show(path: str, root: str) -> None:
    """Put a path of the machine at the same place below the new root."""
    source, target = Path(path), Path(root + path)
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    _mount(path, str(target), "", _BIND | _RECURSIVE)


def _mount_points(root: str) -> list[str]:
    fields = [os.fsdecode(line.split()[4]) for line in Path("/proc/self/mountinfo").read_bytes().splitlines()]
    # The kernel writes a space as \040.
    points = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field) for field in fields]
    return [point for point in points if point == root or point.startswith(root + "/")]


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    try:
        kernel.call("mount", os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode())
    except OSError as error:
        raise OSError(error.errno, f"mount of {target} fails: {os.strerror(error.errno)}") from error
