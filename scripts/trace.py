"""`python -m scripts.trace` is `ssd-bench trace`."""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["trace", *sys.argv[1:]]))
