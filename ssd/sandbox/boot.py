"""The command that starts a fresh interpreter on a module of ssd."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
# Appended, so that no file of the project can stand in for a module of the standard library.
_BOOT = "import sys; sys.path.append(sys.argv[1]); from ssd.{module} import main; main(*sys.argv[2:])"


def command(module: str, *arguments: str, packages: bool = False) -> list[str]:
    """Return the command line: no byte code written, no warnings, and the standard library alone unless `packages`."""
    flags = ("-P", "-B", "-W", "ignore", "-X", "utf8", *(() if packages else ("-s", "-S")))
    return [sys.executable, *flags, "-c", _BOOT.format(module=module), str(_ROOT), *arguments]


def environment() -> dict[str, str]:
    """Return the little that the interpreter itself needs; a program finds `os.environ` empty all the same."""
    # Sets are iterated in the same order in every run, so that a score does not change from run to run.
    variables = {"PYTHONHASHSEED": "0"}
    if "LD_LIBRARY_PATH" in os.environ:
        variables["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return variables
