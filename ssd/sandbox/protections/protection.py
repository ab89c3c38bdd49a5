"""The ways to confine a program, the strongest first."""

from __future__ import annotations

import sys
from enum import StrEnum


class Protection(StrEnum):
    """What stands between a program and the machine, besides limits."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    SYSTEM_CALLS = "system_calls"
    LIMITS = "limits"

    @property
    def description(self) -> str:
        return _DESCRIPTIONS[self]


_FILTER = (
    "no capabilities, no_new_privs, a seccomp filter (one process, one thread, no network, no signals to others, no "
    "change of modes or owners)"
)
_DESCRIPTIONS: dict[Protection, str] = {
    Protection.NAMESPACES: "own namespaces (mount, pid, network, ipc, uts) as uid 65534, a root with the Python "
    f"installation read-only and a temporary directory, {_FILTER}",
    Protection.LANDLOCK: "Landlock (the Python installation is read-only, an own directory is writable, nothing else "
    f"is in reach), {_FILTER}",
    Protection.SYSTEM_CALLS: f"UNSAFE, files are not protected: {_FILTER}",
    Protection.LIMITS: "UNSAFE, nothing but limits and the end of the process group",
}


def acceptable(allow_unsafe: bool) -> list[Protection]:
    """Return the protections to try, in order: those that keep files, network and other processes out of reach.

    Who allows unsafe code gets what is left as well: the system calls or nothing but limits.
    """
    return list(Protection) if allow_unsafe else [Protection.NAMESPACES, Protection.LANDLOCK]


def readable_paths() -> list[str]:
    """Return what a program must be able to read: system libraries and the Python installation."""
    system = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo"]
    # Not the whole prefix, which may be somebody's home.
    python = {f"{sys.base_prefix}/{name}" for name in ("lib", sys.platlibdir)}
    return system + sorted(python.difference(system))
