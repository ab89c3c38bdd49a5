"""Where the package's files are: conf/, checkpoints/, results/published/."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
IS_INSTALLED = (PACKAGE / "assets").is_dir()
"""Whether this is an installed wheel. A wheel carries these files inside the package; a checkout has them beside it."""
ROOT = PACKAGE / "assets" if IS_INSTALLED else PACKAGE.parent
CONF = ROOT / "conf"
RUN = "ssd-bench run" if IS_INSTALLED else "python run.py"
"""The command that measures, as messages and help name it."""
