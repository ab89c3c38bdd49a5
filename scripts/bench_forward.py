"""`python -m scripts.bench_forward` is `ssd-bench bench forward`."""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "forward", *sys.argv[1:]]))
