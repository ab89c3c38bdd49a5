"""Landlock: limit the file access of this process to readable paths and one writable folder."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable

from ssd.sandbox.protections import kernel
from ssd.sandbox.protections.system_calls import number_of

_GET_VERSION = 1
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIRECTORY = 1, 2, 4, 8
_REMOVE_DIRECTORY, _REMOVE_FILE, _MAKE_DIRECTORY, _MAKE_FILE, _MOVE, _TRUNCATE = (1 << n for n in (4, 5, 7, 8, 13, 14))
_READ = _EXECUTE | _READ_FILE | _READ_DIRECTORY
# Links, devices, pipes and sockets stay forbidden.
_WRITE = _WRITE_FILE | _REMOVE_DIRECTORY | _REMOVE_FILE | _MAKE_DIRECTORY | _MAKE_FILE | _MOVE | _TRUNCATE
_OF_FILES = _EXECUTE | _READ_FILE
# Number of rights that each version of the interface can remove. Version 2 added renames across directories, 3 added
# truncation, 5 added ioctl on devices.
_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def restrict(readable: Iterable[str], writable: str) -> None:
    """Allow this process to read below the `readable` paths and to write below `writable`, and nothing else.

    Call `kernel.renounce_privileges` first.
    """
    version = kernel.system_call("landlock_create_ruleset", number_of("landlock_create_ruleset"), None, 0, _GET_VERSION)
    rights = (1 << _RIGHTS_BY_VERSION[min(version, max(_RIGHTS_BY_VERSION))]) - 1
    ruleset = kernel.system_call(
        "landlock_create_ruleset", number_of("landlock_create_ruleset"), struct.pack("Q", rights), 8, 0
    )
    allowances = {path: _READ if os.path.isdir(path) else _OF_FILES for path in filter(os.path.exists, readable)}
    for path, wanted in (allowances | {writable: _READ | _WRITE}).items():
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = wanted & rights  # a rule may only name rights that this kernel can remove
        rule = struct.pack("=Qi", allowed, descriptor)
        kernel.system_call("landlock_add_rule", number_of("landlock_add_rule"), ruleset, _RULE_PATH_BENEATH, rule, 0)
        os.close(descriptor)
    kernel.system_call("landlock_restrict_self", number_of("landlock_restrict_self"), ruleset, 0)
    os.close(ruleset)
