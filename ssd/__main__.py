"""`python -m ssd` is `ssd-bench`."""

from __future__ import annotations

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main())
