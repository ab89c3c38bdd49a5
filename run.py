"""`python run.py` is `ssd-bench run`: it measures one run, with -m a grid of runs.

python run.py decoder=ssd model=llada_tiny task=tiny_math
"""

import sys

from ssd.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", *sys.argv[1:]]))
