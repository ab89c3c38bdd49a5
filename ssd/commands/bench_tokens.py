"""Milliseconds per token of stepwise decoding, for every cache and for longer and longer responses.

ssd-bench bench tokens [--model llada_tiny] [--lengths 128,512,1024,2048,4096] [--caches dual,vicinity] [--blocks 3]

A few blocks of each response are decoded and stand for the others, so that 4,096 tokens take minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from ssd.commands.bench_setup import Setup, measure, parser
from ssd.commands.lists import counts, whole
from ssd.decoding.cache_options import caches_of
from ssd.decoding.cache_policy import check_pair
from ssd.measure.cost.tokens import token_rows
from ssd.modeling.checkpoint import load_model
from ssd.report.console.cost_tables import TOKEN_COLUMNS, table
from ssd.results.environment import describe
from ssd.results.store import write_json


def main(arguments: Sequence[str] | None = None) -> None:
    measure(parse(arguments), bench, "bench_tokens")


def bench(options: argparse.Namespace) -> None:
    """Measure and print the table, one cache after another."""
    setup, console = Setup(options), Console(width=110)
    of_model = caches_of(setup.settings.grid)
    caches = options.caches or of_model
    if not set(caches) <= set(of_model):
        raise ValueError(f"--caches {','.join(caches)}: expected some of {','.join(of_model)} for {options.model}")
    folder = setup.folder()
    model = load_model(folder, setup.device, setup.dtype)
    check_pair(setup.settings, model.config)
    block = setup.settings.block_length
    kind = "processor" if setup.device.type == "cpu" else "wall-clock"
    console.print(
        f"{options.model}, {str(model.dtype)[6:]}, {model.device}, {torch.get_num_threads()} threads, prompt "
        f"{options.prompt}, block {block}\nStepwise decoding, {kind} time. The first block of each response is "
        "decoded, and others at equal distances,\nwhich stand for all behind the first. Refreshes: share of the time "
        "that steps take beyond their block's\nmedian step."
    )
    rows = []
    for cache in caches:
        found = token_rows(
            model, setup.settings, setup.special, options.prompt, options.lengths, [cache], options.blocks
        )
        console.print(table(f"cache {cache}", TOKEN_COLUMNS, found))
        rows += found
    if options.json:
        asked = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        write_json(options.json, {"environment": describe(model.device, folder), "options": asked, "tokens": rows})


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    words = parser(__doc__, prompt=64, caches=None, json=None)
    words.add_argument("--lengths", type=counts, default=[128, 512, 1024, 2048, 4096], help="values of gen_length")
    words.add_argument("--blocks", type=whole(1), default=3, help="blocks of a response that are decoded")
    words.set_defaults(threads=1)
    return words.parse_args(arguments)
