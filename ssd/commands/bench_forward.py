"""What forwards cost as nodes are added, beside the least that they could; and how the cost grows with the response.

ssd-bench bench forward [--model llada_tiny] [--nodes 1,2,4,8,16,32] [--budget 10] [--compile]
ssd-bench bench forward --model llada --random --device cuda --dtype bfloat16 \\
    --prompt 1024 --gen-length 256 --block-length 32 --nodes 1,8,16 --json results/reference/FILE.json

On CUDA every table has both engines, eager and graph. Decode loops, caches, commit rules and ways to attend follow.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from ssd.commands.bench_setup import Setup, measure, parser
from ssd.commands.lists import counts
from ssd.decoding.cache_policy import check_pair, plain_caches
from ssd.measure.cost.attention import attention_rows
from ssd.measure.cost.caches import cache_rows
from ssd.measure.cost.floor import Rates
from ssd.measure.cost.loop import decoders, loop_rows
from ssd.measure.cost.rows import Row, forward_rows, growth_rows, split_by_fit
from ssd.measure.cost.rules import rule_rows
from ssd.measure.cost.shapes import random_weights, shape_with
from ssd.measure.engines import capture_s, with_engine
from ssd.modeling.checkpoint import load_model, local_folder, read_config
from ssd.modeling.forwards import DiffusionModel
from ssd.report.console.cost_tables import (
    ATTENTION_COLUMNS,
    CACHE_COLUMNS,
    COLUMNS,
    GROWTH_COLUMNS,
    LOOP_COLUMNS,
    RULE_COLUMNS,
    table,
)
from ssd.results.environment import describe
from ssd.results.store import write_json


def main(arguments: Sequence[str] | None = None) -> None:
    measure(parse(arguments), bench, "bench_forward")


def bench(options: argparse.Namespace) -> None:
    """Measure and print the tables that the options choose."""
    setup = Setup(options)
    special, settings = setup.special, setup.settings
    of_cache = {cache: settings.with_cache(cache) for cache in options.caches or plain_caches(settings.grid)}
    model, checkpoint = build(options, setup)
    check_pair(settings, model.config)
    rates, console = Rates.measure(model), Console(width=110)
    console.print(
        f"{options.model}{', random weights' if options.random else ''}, {str(model.dtype)[6:]}, {model.device}, "
        f"{torch.get_num_threads()} threads, prompt {options.prompt}\n"
        f"copies {rates.bytes_per_s / 1e9:,.1f} GB/s, products {rates.flops_per_s / 1e12:,.3f} TFLOP/s"
    )
    sides = decoders()
    most_nodes = max(*options.nodes, *(decoder.most_nodes for decoder in sides.values()))
    engines = {name: with_engine(model, name, most_nodes) for name in options.engines}
    figures: dict[str, Any] = {"rates": asdict(rates), "forwards": {}}

    def each_engine(
        rows_of: Callable[..., list[Row]], *given: Any, names: Sequence[str] = options.engines
    ) -> list[Row]:
        return [{"engine": name, **row} for name in names for row in rows_of(engines[name], *given)]

    for cache, chosen in of_cache.items():
        # Whole canvases are evaluated eagerly by every engine.
        names = options.engines[:1] if cache == "none" else options.engines
        rows = each_engine(
            forward_rows, chosen, special, options.prompt, options.nodes, rates, options.budget, names=names
        )
        figures["forwards"][cache] = rows
        console.print(table(f"cache {cache}: window of {rows[-1]['window']} positions", COLUMNS, rows))
    growth: list[Row] = []
    too_long: list[int] = []
    if settings.cache != "exact":  # which has no refresh whose cost grows with the response
        fitting, too_long = split_by_fit(model.config, options.prompt, options.growth)
        growth = each_engine(growth_rows, settings, special, options.prompt, fitting, options.budget)
        title = f"stepwise decoding, {settings.cache} cache; uncached, a token costs about a refresh"
        console.print(table(title, GROWTH_COLUMNS, growth))
    if too_long:
        console.print(f"gen_length {', '.join(map(str, too_long))}: more than the model's context has room for")
    window = settings.block_length
    context = options.prompt + settings.gen_length - window
    attention = attention_rows(model, window, context, options.nodes)
    console.print(table("ms of attention beside the context, all layers", ATTENTION_COLUMNS, attention))
    loops = each_engine(loop_rows, settings, special, options.prompt, sides, options.budget)
    console.print(table(f"decode loops, {settings.cache} cache, one response", LOOP_COLUMNS, loops))
    caches: list[Row] = []
    if settings.grid == "prompt":  # the caches of block-causal models have windows alone
        caches = cache_rows(engines["eager"], settings, special, options.prompt)
        console.print(table("stepwise decoding, ms per forward of each cache", CACHE_COLUMNS, caches))
    rules = rule_rows(engines["eager"], settings, special, options.prompt)
    title = f"commit rules, {settings.cache} cache, ms per forward outside the model"
    console.print(table(title, RULE_COLUMNS, rules))
    compile_s = {name: capture_s(engine) for name, engine in engines.items()}
    if any(compile_s.values()):
        told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in compile_s.items() if seconds)
        console.print(f"seconds of capture and compilation: {told}")
    if options.json:
        given = {name: value for name, value in vars(options).items() if name != "json"}
        asked = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
        figures |= {"growth": growth, "too_long": too_long, "attention": attention, "loops": loops, "caches": caches}
        figures["rules"] = rules
        environment = describe(model.device, checkpoint)
        write_json(options.json, {"environment": environment, "options": asked, "compile_s": compile_s, **figures})


def build(options: argparse.Namespace, setup: Setup) -> tuple[DiffusionModel, Path | None]:
    """Return the model and its checkpoint's folder; with random weights no folder, and only its shape is read."""
    if options.random:
        folder = options.path or local_folder(setup.preset.model.path)
        shape = read_config(folder) if folder else shape_with(setup.special.mask_id)
        return random_weights(shape, setup.device, setup.dtype), None
    folder = setup.folder()
    return load_model(folder, setup.device, setup.dtype), folder


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    words = parser(
        __doc__,
        gen_length=64,
        prompt=64,
        nodes=[1, 2, 4, 8, 16, 32],
        caches=None,
        compile=False,
        json=None,
    )
    words.add_argument(
        "--random", action="store_true", help="random weights in the model's shape; nothing is downloaded"
    )
    words.add_argument("--budget", type=float, default=10.0, help="seconds of timing per table and engine")
    words.add_argument("--growth", type=counts, default=[128, 256, 512, 1024, 2048], help="values of gen_length")
    options = words.parse_args(arguments)
    known = dict.fromkeys((*plain_caches("prompt"), *plain_caches("absolute")))
    if not set(options.caches or ()) <= set(known):
        words.error(f"--caches {','.join(options.caches)}: expected some of {','.join(known)}")
    graph = ["graph"] if options.device.startswith("cuda") else []
    options.engines = ["eager", *graph, *(["compile"] if options.compile else [])]
    return options
