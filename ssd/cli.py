"""The console command `ssd-bench`. A subcommand is imported when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from ssd.extras import extra
from ssd.version import version_line

COMMANDS = {
    "run": "measure a decoder beside stepwise decoding; with -m a grid of runs",
    "report": "write figures, tables and a page from stored results",
    "trace": "show a run's responses forward by forward, as an HTML file",
    "audit": "check that a run's responses equal stepwise decoding's",
    "runs": "list the runs of a results folder",
    "bench": "time forwards and stepwise decoding",
}
INTERRUPTED, FAILED, MISUSED = 130, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit status. arguments: words after `ssd-bench`, by default the shell's."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    name, *rest = words or ["--help"]
    if name == "-sc":  # the shell's completion script names no subcommand
        name, rest = "run", words
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name == "--version":
        print(version_line())
        return 0
    if name not in COMMANDS:
        print(f"error: {name} is not a command; expected one of {', '.join(COMMANDS)}", file=sys.stderr)
        return MISUSED
    sys.argv = [f"ssd-bench {name}", *rest]  # argparse and Hydra read it
    try:
        with extra("report" if name == "report" else "run"):
            command = importlib.import_module(f"ssd.commands.{name}")
        status: int = command.main()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return MISUSED if name == "audit" else FAILED  # an audit's 1 means a violated claim
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return status


def _help() -> str:
    commands = "\n".join(f"  {name:<8} {text}" for name, text in COMMANDS.items())
    return (
        "usage: ssd-bench COMMAND ...\n\n"
        "Benchmark of decoders of masked diffusion language models. Results are in ./results.\n\n"
        f"{commands}\n\n"
        "ssd-bench COMMAND --help shows a command's options; ssd-bench --version shows the version.\n"
        "example: ssd-bench run decoder=ssd model=llada_tiny task=tiny_math"
    )
