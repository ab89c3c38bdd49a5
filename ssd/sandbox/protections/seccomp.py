"""A seccomp filter: every system call outside the list fails with EPERM."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from ssd.sandbox.protections import kernel
from ssd.sandbox.protections.system_calls import ARCHITECTURES, architecture, conditional_numbers, free_numbers

_PR_SET_SECCOMP = 22
_MODE_FILTER = 2

# Operations of classic BPF: load a word, mask it, compare it, return.
_LOAD, _AND, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW = 0x7FFF0000
_DENY = 0x00050000 | errno.EPERM
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16

_ACCESS_OR_TRUNCATE = os.O_ACCMODE | os.O_TRUNC
# Before Linux 6.2, Landlock lets a file that is opened for reading be truncated.
_OPENINGS = [flags for flags in range(_ACCESS_OR_TRUNCATE + 1) if flags & _ACCESS_OR_TRUNCATE == flags != os.O_TRUNC]
_ALL_BITS = 0xFFFFFFFF


def _conditions() -> dict[str, tuple[int, int, list[int]]]:
    """Return, for each conditional call, the argument's position, the mask of its bits, and the allowed values.

    Without these conditions a process could send signals to others, directly or through a file descriptor.
    """
    myself = [os.getpid()]
    return {
        "kill": (0, _ALL_BITS, myself),
        "tgkill": (0, _ALL_BITS, myself),
        "prlimit64": (0, _ALL_BITS, [0]),
        "fcntl": (1, _ALL_BITS, [*range(8), 1030]),  # duplicate, flags, locks
        "ioctl": (1, _ALL_BITS, [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451]),  # terminal test, blocking, close
        "open": (1, _ACCESS_OR_TRUNCATE, _OPENINGS),
        "openat": (2, _ACCESS_OR_TRUNCATE, _OPENINGS),
    }


def apply() -> None:
    """Filter the system calls of this process from now on. Call `kernel.renounce_privileges` first."""
    steps = b"".join(_program())
    buffer = ctypes.create_string_buffer(steps, len(steps))
    # struct sock_fprog: number of steps, padding, address
    header = struct.pack("HP", len(steps) // 8, ctypes.addressof(buffer))
    kernel.call("prctl", _PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0)


def _program() -> list[bytes]:
    conditions = _conditions()
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_JUMP_IF_EQUAL, ARCHITECTURES[architecture()], if_true=1),
        _step(_RETURN, _DENY),
        _step(_LOAD, _NUMBER_AT),
    ]
    verdicts = {number: [_step(_RETURN, _ALLOW)] for number in free_numbers().values()}
    # If a call lacks its condition, this raises KeyError and no program starts.
    verdicts |= {number: _argument_test(*conditions[name]) for name, number in conditional_numbers().items()}
    for number, verdict in verdicts.items():
        steps += [_step(_JUMP_IF_EQUAL, number, if_false=len(verdict)), *verdict]
    return [*steps, _step(_RETURN, _DENY)]


def _argument_test(place: int, bits: int, values: list[int]) -> list[bytes]:
    # Both processors are little-endian: the low word of an argument comes first.
    steps = [_step(_LOAD, _ARGUMENTS_AT + 8 * place), _step(_AND, bits)]
    for value in values:
        steps += [_step(_JUMP_IF_EQUAL, value, if_false=1), _step(_RETURN, _ALLOW)]
    return [*steps, _step(_RETURN, _DENY)]


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)
