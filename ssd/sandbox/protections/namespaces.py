"""Linux namespaces: hide other processes, the network and almost all files from this process."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from ssd.sandbox.protections import kernel
from ssd.sandbox.protections.system_calls import number_of
from ssd.sandbox.workspace import MOST_ENTRIES

NOBODY = 65534
WORK = "/tmp"
"""Path, inside the new root, of the folder in which a program starts and may write."""

_NEW_USER = 0x10000000
# Mounts, host name, System V IPC, processes, network.
_NEW_OTHERS = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000

_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXECUTION = 1, 2, 4, 8
_REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 32, 4096, 16384, 1 << 18
_DETACH = 2


def enter(readable: Sequence[str], root: str, work_mib: int) -> None:
    """Move this process into new namespaces; its next child becomes their first process.

    The new root is built on `root`, an empty folder. It shows the `readable` paths and a work folder of `work_mib` MiB.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        kernel.call("unshare", _NEW_OTHERS)
    except PermissionError:
        kernel.call("unshare", _NEW_USER | _NEW_OTHERS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{NOBODY} {user} 1")
        _write("/proc/self/gid_map", f"{NOBODY} {group} 1")
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
            # A user namespace refuses a remount that drops a flag which the mount already has.
            kept = os.statvfs(point).f_flag & _NO_EXECUTION
            _mount("none", point, "", _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES | kept)
    os.chdir(root)
    kernel.system_call("pivot_root", number_of("pivot_root"), b".", b".")
    kernel.call("umount2", b".", _DETACH)
    os.chdir(WORK)


def become_nobody() -> None:
    """Change from root to the user nobody. In a user namespace, `enter` has already done so."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def _show(path: str, root: str) -> None:
    """Mount a path of the machine at the same place below the new root."""
    target = root + path
    if not os.path.exists(path):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    else:
        _write(target, "")
    _mount(path, target, "", _BIND | _RECURSIVE)


def _mount_points(root: str) -> list[str]:
    with open("/proc/self/mountinfo", "rb") as mounts:
        fields = [os.fsdecode(line.split()[4]) for line in mounts]
    # The kernel writes a space as \040.
    points = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field) for field in fields]
    return [point for point in points if point == root or point.startswith(root + "/")]


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, options.encode())
    kernel.call("mount", *arguments, title=f"mount of {target}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
