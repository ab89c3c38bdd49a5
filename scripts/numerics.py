"""Does a state's result depend on what is evaluated beside it, and what do the modes of runtime.numerics change?

python scripts/numerics.py [--model llada_tiny] [--dtypes float32,bfloat16] [--prompts 200] [--nodes 9] [WORDS]

WORDS are those of run.py, such as generation.gen_length=64 or runtime.device=cuda. Seconds are a processor's on a CPU,
and of the clock on CUDA.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from hydra.errors import HydraException

from baselines.stepwise import Stepwise
from scripts.independence import building_blocks, window_forwards
from ssd.config.command_line import composed
from ssd.config.plan import Plan, make_plan
from ssd.config.runtime import DTYPES, NUMERICS
from ssd.decoding.decoder import Decoder
from ssd.measure.clock import spent
from ssd.measure.numerics import with_numerics
from ssd.modeling.checkpoint import load_model, load_tokenizer, read_config, resolve
from ssd.modeling.forwards import DiffusionModel
from ssd.results.environment import describe
from ssd.results.store import write_json
from ssd.run.checks import check_model, render_all
from ssd.run.device_lock import device_lock
from ssd.speculation.decoder import SelfSpeculative

Row = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    plan = planned(options)
    with device_lock(plan.runtime.torch_device(), False, "numerics"):
        report(options, plan)


def report(options: argparse.Namespace, plan: Plan) -> None:
    """Print both tables, and write them to the file that was asked for."""
    if plan.runtime.threads:
        torch.set_num_threads(plan.runtime.threads)
    device = plan.runtime.torch_device()
    folder = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
    prompts = render_all(plan, load_tokenizer(folder), check_model(plan, read_config(folder)))
    print(
        f"{options.model}, {device}, {torch.get_num_threads()} threads, {len(prompts)} prompts, {options.nodes} nodes"
    )
    independent = [
        {"dtype": dtype, **row}
        for dtype in options.dtypes
        for row in show_independence(load_model(folder, device, DTYPES[dtype]), dtype, prompts[0], plan, options.nodes)
    ]
    tables: dict[str, list[Row]] = {"independence": independent, "identity": []}
    circumstances = {"environment": describe(device, folder), "config": {"nodes": options.nodes, **plan.config}}
    print("\ndtype     numerics  decoder     identical  s per prompt  relative to native")
    for dtype in options.dtypes:
        native: list[Row] = []
        for numerics in NUMERICS:
            if options.json:  # what is there so far, for the rest may take hours
                write_json(options.json, {**circumstances, **tables})
            sides = decoders(options.nodes)
            model = with_numerics(load_model(folder, device, DTYPES[dtype]), numerics, *sides.values())
            rows = measure(model, sides, prompts, plan)
            native = native or rows
            for row, base in zip(rows, native, strict=True):
                count, seconds = f"{row['identical']}/{len(prompts)}", row["s_per_prompt"]
                price = f"{seconds:>13.3f} {seconds / base['s_per_prompt']:>19.2f}"
                print(f"{dtype:<9} {numerics:<9} {row['decoder']:<11} {count:>9} {price}", flush=True)
                tables["identity"].append({"dtype": dtype, "numerics": numerics, "prompts": len(prompts), **row})
    if options.json:
        write_json(options.json, {**circumstances, **tables})


def show_independence(model: DiffusionModel, dtype: str, prompt: Sequence[int], plan: Plan, nodes: int) -> list[Row]:
    """What a state's result does not depend on, part by part, and in whole forwards with and without a lock."""
    print("\nIs a state's result independent of: the others' contents, its place among them, their number")
    locked = with_numerics(model, "locked", *decoders(nodes).values())
    rows = []
    for name, found in chain(
        building_blocks(model, prompt, plan.settings, nodes),
        (("native " + name, found) for name, found in window_forwards(model, prompt, plan, nodes)),
        (("locked " + name, found) for name, found in window_forwards(locked, prompt, plan, nodes)),
    ):
        print(f"{dtype:<9} {name:<32} {'  '.join('yes' if holds else 'NO ' for holds in found)}", flush=True)
        rows.append({"what": name, **found._asdict()})
    return rows


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options. Raises ValueError naming the option and what was expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="what run.py would be given, such as generation.gen_length=64")
    parser.add_argument("--model", default="llada_tiny", help="a file of conf/model")
    parser.add_argument("--dtypes", default="float32,bfloat16", help="with commas")
    parser.add_argument("--prompts", type=int, default=200, help="of tiny_math, or of task=NAME")
    parser.add_argument("--nodes", type=int, default=9, help="per forward, the current state included")
    parser.add_argument("--json", type=Path, help="a file to write the figures and their circumstances to")
    options = parser.parse_intermixed_args(arguments)
    options.dtypes = options.dtypes.split(",")
    for dtype in options.dtypes:
        if dtype not in DTYPES:
            raise ValueError(f"--dtypes {dtype}: expected some of {', '.join(DTYPES)}")
    if options.nodes < 2:
        raise ValueError(f"--nodes {options.nodes}: expected at least 2, the current state and a draft")
    return options


def planned(options: argparse.Namespace) -> Plan:
    """The plan of run.py for these words. Raises ValueError for a task with fewer prompts than asked for."""
    words = [f"model={options.model}", f"runtime.limit={options.prompts}", *options.words]
    if not any(word.startswith("task=") for word in options.words):
        words += ["task=tiny_math", f"task.documents={options.prompts}"]
    plan = make_plan(composed(words))
    if len(plan.documents) < options.prompts:
        raise ValueError(f"--prompts {options.prompts}: {plan.task.name} has only {len(plan.documents)}")
    return plan


def decoders(nodes: int) -> dict[str, Decoder]:
    """The reference and two decoders that evaluate so many nodes."""
    return {
        "stepwise": Stepwise(),
        "chain": SelfSpeculative(depth=nodes - 1),
        "best_first": SelfSpeculative(depth=nodes - 1, budget=nodes, builder="best_first"),
    }


def measure(
    model: DiffusionModel, sides: dict[str, Decoder], prompts: Sequence[Sequence[int]], plan: Plan
) -> list[Row]:
    """Per decoder: its name, how many responses are the reference's, seconds per prompt. One prompt warms up."""
    same, spent_s = dict.fromkeys(sides, 0), dict.fromkeys(sides, 0.0)
    for place, prompt in enumerate([max(prompts, key=len), *prompts]):
        responses = {}
        for name, decoder in sides.items():
            decode = partial(decoder.decode, model, prompt, plan.settings, plan.special)
            decoded, seconds = spent(decode, model.device)
            responses[name] = decoded.response_ids
            if place:
                spent_s[name] += seconds
                same[name] += responses[name] == responses["stepwise"]
    return [{"decoder": name, "identical": same[name], "s_per_prompt": spent_s[name] / len(prompts)} for name in sides]


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError, HydraException) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted")
