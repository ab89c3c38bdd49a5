"""Kernel functions that the standard library does not offer, and resource limits."""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Mapping

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522


def call(name: str, *arguments: int | bytes | None, title: str = "") -> int:
    """Call a function of the C library and return its result.

    Raise OSError if the function is missing or fails; the message names `title`, or `name` without one.
    """
    if not hasattr(_LIBC, name):
        raise OSError(f"this system has no {name}")
    converted = [ctypes.c_ulong(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments]
    result: int = getattr(_LIBC, name)(*converted)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{title or name} fails: {os.strerror(number)}")
    return result


def system_call(name: str, number: int, *arguments: int | bytes | None) -> int:
    """Make the system call `number`, which has no function in the C library. Errors show `name`."""
    return call("syscall", number, *arguments, title=name)


def die_with_parent(signal: int) -> None:
    """Make the kernel send this process the signal when its parent ends. Only Linux can do so."""
    if sys.platform == "linux":
        call("prctl", _PR_SET_PDEATHSIG, signal)


def renounce_privileges() -> None:
    """Give up every capability, and every way to gain one again."""
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header, nothing = struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)
    call("capset", header, nothing)


def set_limits(values: Mapping[int, int]) -> None:
    """Limit this process permanently: one value per RLIMIT constant. A lower limit that already applies stays."""
    for kind, value in values.items():
        most = resource.getrlimit(kind)[1]
        allowed = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (allowed, allowed))
