"""`python -m scripts.inflate` is `ssd-bench inflate`."""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["inflate", *sys.argv[1:]]))
