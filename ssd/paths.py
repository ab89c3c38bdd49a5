"""Where the package's files are (conf/, checkpoints/, results/published/), and how the package was called."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
IS_INSTALLED = (PACKAGE / "assets").is_dir()
"""Whether this is an installed wheel. A wheel carries these files inside the package; a checkout has them beside it."""
ROOT = PACKAGE / "assets" if IS_INSTALLED else PACKAGE.parent
CONF = ROOT / "conf"
RUN = "ssd-bench run" if IS_INSTALLED else "python run.py"
"""The command that measures, as messages and help name it."""
OWN_VARIABLE = "SSD_SET_HYDRA_FULL_ERROR"
"""Set where `ssd-bench run` itself has set HYDRA_FULL_ERROR, which Hydra reads, too. Child processes inherit both."""
SHOWS_TRACEBACKS = os.environ.get("HYDRA_FULL_ERROR") == "1" and OWN_VARIABLE not in os.environ
"""Whether the user wants whole tracebacks."""


def choices(group: str) -> list[str]:
    """Return the names of a group's files in conf/, sorted."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


def find_file(option: str, path: str, remedy: str) -> Path:
    """Return the file at a path, also relative to the project. Raises FileNotFoundError naming the option."""
    for file in (Path(path).expanduser(), ROOT / path):
        if file.is_file():
            return file
    raise FileNotFoundError(f"{option}={path}: no such file; {remedy}")
