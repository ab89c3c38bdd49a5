"""Show a run's responses forward by forward, in one HTML file that needs no other.

ssd-bench trace RUN [--samples 0,3,7 | --first 20] [--out FILE.html] [--results results]

RUN is the id of a run under --results, or a run's folder; it must have been measured with runtime.traces=true.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from ssd.commands.lists import whole
from ssd.commands.results_dir import add_results, stored_run
from ssd.modeling.checkpoint import load_tokenizer, local_folder
from ssd.report.viewer.contents import Decode, contents, has_trace
from ssd.report.viewer.page import page
from ssd.results.reader import Line, StoredRun, name_of, place_of, read_run
from ssd.results.store import write_atomically

FIRST = 20
UNUSABLE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; return the exit status, 2 if the run cannot be shown."""
    options = parse(arguments)
    try:
        run = read_run(stored_run(options.run, options.results))
        data = contents(run, chosen(run, options.samples, options.first), tokenizer_of(run))
        file = options.out or run.folder / "trace.html"
        write_atomically(file, page(data))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return UNUSABLE
    shown, size = len(data["samples"]), file.stat().st_size / 1e6
    names = "" if data["texts"] else "; tokens are shown as ids, because the model's tokenizer is not on this machine"
    print(f"{file}: {shown} of {len(run.lines)} samples, {size:.1f} MB{names}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN", help="a run's id under --results, or its folder")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--samples", type=indices, help="indices of the samples to show: 0,3,7")
    which.add_argument("--first", type=whole(1), default=FIRST, help=f"number of samples to show (default {FIRST})")
    parser.add_argument("--out", type=Path, help="the file to write (default: trace.html in the run's folder)")
    add_results(parser)
    return parser.parse_args(arguments)


def indices(text: str) -> list[int]:
    """Return the numbers of `0,3,7`. Raises ArgumentTypeError."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected indices such as 0,3,7") from error


def chosen(run: StoredRun, samples: Sequence[int] | None, first: int) -> list[Line]:
    """Return the samples to show, in the order of their prompts. Raises ValueError for an index without a trace."""
    lines = sorted(run.lines, key=place_of)
    if samples is None:
        return lines[:first]
    absent = sorted(set(samples) - {line["index"] for line in lines})
    if absent:
        raise ValueError(
            f"--samples: the run has no sample {absent[0]}; expected indices of its {len(lines)} samples, "
            f"{lines[0]['index']} to {lines[-1]['index']}"
        )
    found = [line for line in lines if line["index"] in samples]
    bare = ", ".join(name_of(*place_of(line)) for line in found if not has_trace(run, line))
    if bare:
        raise ValueError(
            f"--samples: no forwards are stored for {bare}; name others, or measure the run again with "
            "runtime.traces=true"
        )
    return found


def tokenizer_of(run: StoredRun) -> Decode | None:
    """Return a function from ids to text; None if the run's tokenizer is not on this machine."""
    folder = local_folder(str(run.config["model"]["path"]))
    try:
        tokenizer = load_tokenizer(folder) if folder else None
    except (OSError, ValueError):
        tokenizer = None
    if tokenizer is None:
        return None
    return lambda ids: cast(str, tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))
