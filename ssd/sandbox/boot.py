"""The command that starts a fresh interpreter on a module of ssd."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
# An empty package with the path of ssd stands in for ssd. So `ssd/__init__.py` does not run, and the folder above it,
# which may hold other installed packages, is not searched for modules.
_BOOT = (
    "import sys; ssd = sys.modules['ssd'] = type(sys)('ssd'); ssd.__path__ = [sys.argv[1]]; "
    "from ssd.{module} import main; main(*sys.argv[2:])"
)


def command(module: str, *arguments: str, packages: bool = False) -> list[str]:
    """Return the command line that calls `main` of a module of ssd with the arguments.

    The interpreter writes no byte code and shows no warnings. It finds installed packages only if `packages`.
    """
    flags = ("-P", "-B", "-W", "ignore", "-X", "utf8", *(() if packages else ("-s", "-S")))
    return [sys.executable, *flags, "-c", _BOOT.format(module=module), str(_PACKAGE), *arguments]


def environment() -> dict[str, str]:
    """Return the environment variables of the new interpreter."""
    # With a fixed hash seed, sets have the same order in every run, and scores do not change between runs.
    variables = {"PYTHONHASHSEED": "0"}
    if "LD_LIBRARY_PATH" in os.environ:
        variables["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return variables
