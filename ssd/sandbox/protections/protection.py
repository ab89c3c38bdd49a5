"""The ways to confine a program, strongest first."""

from __future__ import annotations

import sys
from enum import StrEnum


class Protection(StrEnum):
    """A way to confine a program; resource limits apply under each."""

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
    """Return the protections to try, in order.

    Without `allow_unsafe`, only those that protect files, network and other processes.
    """
    return list(Protection) if allow_unsafe else [Protection.NAMESPACES, Protection.LANDLOCK]


def readable_paths() -> list[str]:
    """Return the paths that a program must read: system libraries and the Python installation."""
    system = ["/usr/lib", "/usr/lib64", "/lib", "/lib64", "/etc/ld.so.cache", "/usr/share/zoneinfo"]
    # Not the whole prefix: it may be a user's home.
    python = {f"{sys.base_prefix}/{name}" for name in ("lib", sys.platlibdir)}
    return system + sorted(python.difference(system))
