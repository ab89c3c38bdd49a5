"""The console command `ssd-bench`. A subcommand is imported when it is called."""

from __future__ import annotations

import importlib
import os
import select
import sys
import traceback
from collections.abc import Sequence

from ssd.extras import extra
from ssd.paths import SHOWS_TRACEBACKS
from ssd.version import version_line

COMMANDS = {
    "run": "measure a decoder beside stepwise decoding; with -m a grid of runs",
    "report": "write figures, tables and a page from stored results",
    "trace": "show a run's responses forward by forward, as an HTML file",
    "audit": "check that a run's responses equal stepwise decoding's",
    "runs": "list the runs of a results folder",
    "bench": "time forwards and stepwise decoding",
    "inflate": "write a checkpoint with a small model's decisions at a large model's size",
    "calibrate": "fit the prior of best_first, or Spiffy's draft graph, to a model and its settings",
    "project": "estimate what counted forwards would cost on named GPUs",
}
INTERRUPTED, FAILED, MISUSED = 130, 1, 2
UNREAD = 141  # as the shell counts a command that SIGPIPE ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit status. arguments: words after `ssd-bench`, by default the shell's."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    try:
        try:
            return _run(words)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _is_unread():
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter's last flush
        return UNREAD


def _run(words: Sequence[str]) -> int:
    name, *rest = words or ["--help"]
    if name == "-sc":  # the shell's completion script names no subcommand
        name, rest = "run", list(words)
    if name in ("-h", "--help", "help"):
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
        with extra("report" if name in ("report", "project") else "run"):
            command = importlib.import_module(f"ssd.commands.{name}")
        status: int = command.main()
    except BrokenPipeError:
        raise
    except (ValueError, OSError, FloatingPointError) as error:
        if SHOWS_TRACEBACKS:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return MISUSED if name == "audit" else FAILED  # an audit's 1 means a violated claim
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return status


def _is_unread() -> bool:
    """Return whether the reader of standard output has ended, as that of `| head -1` does."""
    poll = select.poll()
    poll.register(sys.stdout, 0)  # errors are reported without being asked for
    return bool(poll.poll(0))


def _help() -> str:
    commands = "\n".join(f"  {name:<9} {text}" for name, text in COMMANDS.items())
    return (
        "usage: ssd-bench COMMAND ...\n\n"
        "Benchmark of decoders of masked diffusion language models. Results are in ./results.\n\n"
        f"{commands}\n\n"
        "ssd-bench COMMAND --help shows a command's options; ssd-bench --version shows the version.\n"
        "With HYDRA_FULL_ERROR=1 in the environment, every error comes with its whole traceback.\n"
        "example: ssd-bench run decoder=ssd model=llada_tiny task=tiny_math"
    )
