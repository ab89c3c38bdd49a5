"""`ssd-bench bench`: time forwards beside their floor, stepwise decoding beside an eager one, and caches by length."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from ssd.extras import extra

BENCHMARKS = ("forward", "engine", "tokens")
SHORT = BENCHMARKS[:2]
USAGE = """usage: ssd-bench bench [forward | engine | tokens] [options]

  forward  time forwards with more and more nodes, beside their floor
  engine   time stepwise decoding beside an eager implementation
  tokens   time stepwise decoding over every cache, for longer and longer responses

Without a name, forward and engine run with their defaults; tokens takes an hour on a CPU.
ssd-bench bench NAME --help shows the options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark, or the short ones; return the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and words[0] in ("-h", "--help"):
        print(USAGE)
        return 0
    if words and words[0] not in BENCHMARKS:
        raise ValueError(f"bench {words[0]}: expected one of {', '.join(BENCHMARKS)}")
    for name in words[:1] or SHORT:
        sys.argv[0] = f"ssd-bench bench {name}"
        with extra("run"):
            benchmark = importlib.import_module(f"ssd.commands.bench_{name}")
        benchmark.main(words[1:])
    return 0
