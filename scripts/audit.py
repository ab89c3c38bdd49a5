"""`python -m scripts.audit` is `ssd-bench audit`."""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["audit", *sys.argv[1:]]))
