"""Where the files lie that come with the package: conf/, checkpoints/, results/published/."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
IS_INSTALLED = (PACKAGE / "assets").is_dir()
"""Whether this is an installed wheel, which carries the files inside the package; a checkout has them beside it."""
ROOT = PACKAGE / "assets" if IS_INSTALLED else PACKAGE.parent
CONF = ROOT / "conf"
