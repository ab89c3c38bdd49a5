"""System calls that the standard library does not offer."""

from __future__ import annotations

import ctypes
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION = 0x20080522


def call(name: str, *arguments: int | bytes | None) -> int:
    """Call a function of the C library, and raise OSError where it fails."""
    if not hasattr(_LIBC, name):
        raise OSError(f"this system has no {name}")
    converted = [ctypes.c_ulong(value) if isinstance(value, int) else ctypes.c_char_p(value) for value in arguments]
    result: int = getattr(_LIBC, name)(*converted)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name} fails: {os.strerror(number)}")
    return result


def system_call(name: str, number: int, *arguments: int | bytes | None) -> int:
    """Make a system call that the C library has no function for; the name is for the error."""
    try:
        return call("syscall", number, *arguments)
    except OSError as error:
        raise OSError(error.errno, f"{name} fails: {os.strerror(error.errno)}") from error


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process a signal when its parent is gone."""
    call("prctl", _PR_SET_PDEATHSIG, signal)


def renounce_privileges() -> None:
    """Give up every capability, and the ways to get one back."""
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    header, nothing = struct.pack("Ii", _CAPABILITY_VERSION, 0), bytes(24)
    call("capset", header, nothing)
