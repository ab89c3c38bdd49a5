"""`python -m scripts.report` is `ssd-bench report`."""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["report", *sys.argv[1:]]))
