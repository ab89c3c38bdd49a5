"""`python -m scripts.bench_engine` is `ssd-bench bench engine`."""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["bench", "engine", *sys.argv[1:]]))
