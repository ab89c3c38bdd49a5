"""Our stepwise decoding against a straightforward eager one, at equal forwards and equal responses.

ssd-bench bench engine [--model llada_tiny] [--prompts 10] [--gen-length 64] [--block-length 32] [--threads 1]
ssd-bench bench engine --blocks 4,8,16,32 --nodes 1,4,9,16 --budget 60 --compile

A second table has one forward of each number of nodes and block length, beside its matrix products and its floor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from baselines.stepwise import Stepwise
from ssd.commands import eager
from ssd.commands.bench_setup import Setup, measure, parser
from ssd.commands.bench_shapes import shape_rows
from ssd.commands.lists import counts, whole
from ssd.measure.clock import timed
from ssd.measure.engines import with_engine
from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling.checkpoint import load_model, load_tokenizer
from ssd.modeling.forwards import DelegatingModel, DiffusionModel
from ssd.report.console import cost_tables
from ssd.tasks.prompts import render
from ssd.tasks.tiny_math import TinyMath


@dataclass
class Side:
    """One of the two engines. processor_s is what its process computed, however busy the machine was; on a CPU."""

    decode: Callable[[list[int]], list[int]]
    counter: ForwardCounter
    responses: list[list[int]] = field(default_factory=list)
    latency_s: float = 0.0
    processor_s: float = 0.0

    def run(self, prompt: list[int], device: torch.device) -> None:
        begun_s = time.process_time()
        response, latency_s = timed(lambda: self.decode(prompt), device)
        self.processor_s += time.process_time() - begun_s
        self.latency_s += latency_s
        self.responses.append(response)


class Watched(DelegatingModel):
    """The same model, adding up the seconds spent inside its forwards."""

    def __init__(self, model: DiffusionModel) -> None:
        super().__init__(model)
        self.inside_s = self.inside_processor_s = 0.0

    def refresh(self, *arguments: Any) -> Any:
        return self._watch(super().refresh, *arguments)

    def window(self, *arguments: Any) -> Any:
        return self._watch(super().window, *arguments)

    def _watch(self, call: Callable[..., Any], *arguments: Any) -> Any:
        begun_s = time.process_time()
        result, latency_s = timed(lambda: call(*arguments), self.device)
        self.inside_processor_s += time.process_time() - begun_s
        self.inside_s += latency_s
        return result


def main(arguments: Sequence[str] | None = None) -> None:
    measure(parse(arguments), bench, "bench_engine")


def bench(options: argparse.Namespace) -> None:
    """Measure and print the tables that the options choose."""
    setup = Setup(options)
    folder, device, settings, special = setup.folder(), setup.device, setup.settings, setup.special
    model = load_model(folder, device, setup.dtype)
    llama = eager.load_llama(folder, model.config, device, setup.dtype)
    lengths = (settings.gen_length, settings.block_length, special.mask_id)
    sides = {
        "eager": Side(lambda prompt: eager.decode(llama, prompt, *lengths), ForwardCounter(llama)),
        "ours": Side(
            lambda prompt: Stepwise().decode(model, prompt, settings, special).response_ids,
            ForwardCounter(model.transformer),
        ),
    }
    watched, watched_s, watched_processor_s = Watched(model), 0.0, 0.0
    prompts = tiny_prompts(folder, options.prompts)
    for side in sides.values():
        side.decode(max(prompts, key=len))
        side.counter.forwards = 0
    for place, prompt in enumerate(prompts):
        for name in sides if place % 2 else reversed(sides):
            sides[name].run(prompt, device)
        forwards, begun_s = sides["ours"].counter.forwards, time.process_time()
        watched_s += timed(partial(Stepwise().decode, watched, prompt, settings, special), device)[1]
        watched_processor_s += time.process_time() - begun_s
        sides["ours"].counter.forwards = forwards
    report(options, sides, 1 - watched.inside_s / watched_s, 1 - watched.inside_processor_s / watched_processor_s)
    compiled = with_engine(model, "compile", max(options.nodes)) if options.compile else None
    length = max(map(len, prompts)) + max(settings.gen_length, *options.blocks)
    rows = shape_rows(llama, model, compiled, length, options.blocks, options.nodes, options.budget)
    unit = "processor ms" if device.type == "cpu" else "ms"
    title = f"{unit} of one forward over the last block of {length} positions, {torch.get_num_threads()} threads"
    Console(width=100).print(cost_tables.table(title, cost_tables.SHAPE_COLUMNS, rows))


def tiny_prompts(folder: Path, limit: int) -> list[list[int]]:
    """Word problems as chats of the checkpoint's tokenizer."""
    tokenizer, task = load_tokenizer(folder), TinyMath()
    return [render(tokenizer, task, document, [], chat=True) for document in task.documents(limit)]


def report(options: argparse.Namespace, sides: dict[str, Side], outside: float, outside_processor: float) -> None:
    """Print both sides' seconds per prompt, their ratio, and the share of ours outside the model's forwards."""
    table = Table(title=f"stepwise decoding, dual cache, {options.model}, {options.dtype}, {options.device}")
    for name in ("", "eager", "ours", "ratio"):
        table.add_column(name, justify="right")
    count = options.prompts
    for name, attribute in (("seconds per prompt", "latency_s"), ("processor seconds per prompt", "processor_s")):
        theirs, ours = (getattr(sides[side], attribute) / count for side in ("eager", "ours"))
        table.add_row(name, f"{theirs:.3f}", f"{ours:.3f}", f"{theirs / ours:.2f}")
    table.add_row("forwards per prompt", *(f"{side.counter.forwards / count:.1f}" for side in sides.values()))
    console = Console(width=100)
    console.print(table)
    equal = sum(map(list.__eq__, sides["eager"].responses, sides["ours"].responses))
    console.print(f"{equal} of {count} responses are equal; {torch.get_num_threads()} threads")
    console.print(
        f"ours outside the model's forwards: {outside:.1%} of its seconds, {outside_processor:.1%} of processor's"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    options = parser(__doc__, gen_length=64, nodes=[1, 4, 9, 16], compile=False)
    options.add_argument("--prompts", type=whole(1), default=10, help="number of word problems")
    options.add_argument("--blocks", type=counts, default=[4, 8, 16, 32], help="block lengths of the second table")
    options.add_argument("--budget", type=float, default=40.0, help="seconds of timing of the second table")
    options.set_defaults(dtype="float32", threads=1)
    return options.parse_args(arguments)
