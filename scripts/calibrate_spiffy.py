"""Calibrate a draft graph for `decoder=spiffy`: this is `ssd-bench calibrate --graph`.

python scripts/calibrate_spiffy.py model=llada_tiny task=tiny_math task.seed=7 runtime.limit=30 --out FILE
[--nodes 16] [--depth 8]
"""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["calibrate", "--graph", *sys.argv[1:]]))
