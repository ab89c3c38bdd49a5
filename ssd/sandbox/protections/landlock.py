"""Landlock: a process gives up the file system but for some paths that it may read, and one that it may write to."""

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
# No links, devices, pipes or sockets.
_WRITE = _WRITE_FILE | _REMOVE_DIRECTORY | _REMOVE_FILE | _MAKE_DIRECTORY | _MAKE_FILE | _MOVE | _TRUNCATE
_OF_FILES = _EXECUTE | _READ_FILE
# Rights that a kernel can take away, by the version of its interface: renaming across directories came with 2,
# truncating with 3, ioctl on devices with 5.
_RIGHTS_BY_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}


def restrict(readable: Iterable[str], writable: str) -> None:
    """Take from this process every access to files but reading below these paths, and writing below one directory.

    Privileges must be gone before.
    """
    version = kernel.system_call("landlock_create_ruleset", number_of("landlock_create_ruleset"), None, 0, _GET_VERSION)
    rights = (1 << _RIGHTS_BY_VERSION[min(version, max(_RIGHTS_BY_VERSION))]) - 1
    ruleset = kernel.system_call(
        "landlock_create_ruleset", number_of("landlock_create_ruleset"), struct.pack("Q", rights), 8, 0
    )
    allowances = {path: _READ if os.path.isdir(path) else _OF_FILES for path in filter(os.path.exists, readable)}
    for path, wanted in (allowances | {writable: _READ | _WRITE}).items():
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = wanted & rights  # what this kernel cannot take away, it cannot allow either
        rule = struct.pack("=Qi", allowed, descriptor)
        kernel.system_call("landlock_add_rule", number_of("landlock_add_rule"), ruleset, _RULE_PATH_BENEATH, rule, 0)
        os.close(descriptor)
    kernel.system_call("landlock_restrict_self", number_of("landlock_restrict_self"), ruleset, 0)
    os.close(ruleset)
