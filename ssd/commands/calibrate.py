"""Fit the prior of best_first, or Spiffy's draft graph, to stepwise decoding of a model under its settings.

ssd-bench calibrate model=llada_tiny task=tiny_math task.seed=7 runtime.limit=16 --out FILE
ssd-bench calibrate model=llada_tiny task=tiny_math task.seed=7 runtime.limit=30 --graph --out FILE [--nodes 16]
python run.py decoder=ssd decoder.builder=best_first decoder.prior=FILE model=llada_tiny task=tiny_math

The words are those of run.py. Take prompts that you will not report on. A prior is fitted to the first half of the
prompts; the table shows what it reaches on the other half. Responses do not depend on a prior or a graph.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from omegaconf import OmegaConf

from ssd.commands.prior_table import MOST_NODES, held_out, table
from ssd.config.command_line import composed
from ssd.config.plan import Plan, make_plan
from ssd.config.runtime import DTYPES
from ssd.decoding.rule import CERTAIN_ORDERS
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.checkpoint import load_model, load_tokenizer, read_config, resolve
from ssd.modeling.forwards import DiffusionModel
from ssd.paths import CONF
from ssd.results.environment import describe
from ssd.results.store import write_atomically
from ssd.run.checks import check_model, render_all
from ssd.run.progress import progress
from ssd.speculation.calibration import accepted, choose, record
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.draft_graph import DraftGraph
from ssd.speculation.pick_prior import prior_content
from ssd.speculation.prior_fit import fit_prior
from ssd.speculation.recording import record_trajectory

Recorded = TypeVar("Recorded")


def main(arguments: Sequence[str] | None = None) -> int:
    """Decode the prompts and write the file; return the exit status. Raises ValueError or OSError in one line."""
    options = parse(arguments)
    config = composed(options.words)
    config.decoder = OmegaConf.load(CONF / "decoder" / "stepwise.yaml")  # the chosen one may lack this very file
    plan = make_plan(config)
    if plan.runtime.threads:
        torch.set_num_threads(plan.runtime.threads)
    (write_graph if options.graph else write_prior)(plan, options)
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options. Raises ValueError or FileNotFoundError before anything is decoded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="what run.py would be given, such as model=llada_tiny")
    parser.add_argument("--out", type=Path, required=True, help="the file to write, for decoder.prior or decoder.graph")
    parser.add_argument("--graph", action="store_true", help="write Spiffy's draft graph instead of a prior")
    parser.add_argument("--nodes", type=int, default=16, help="with --graph: drafted nodes")
    parser.add_argument("--depth", type=int, default=8, help="with --graph: steps drafted ahead, as in decoder.depth")
    options = parser.parse_intermixed_args(arguments)
    for name in ("nodes", "depth"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} {getattr(options, name)}: expected a whole number of at least 1")
    if not options.out.parent.is_dir():  # made by us, a folder of a Hub id's name would pass for the model
        raise FileNotFoundError(f"--out {options.out}: there is no folder {options.out.parent}; name one that exists")
    return options


def write_prior(plan: Plan, options: argparse.Namespace) -> None:
    """Fit a prior to the first half of the prompts, write it, and print what it reaches on the other half."""
    prompts, ranking = len(plan.documents), plan.settings.ranking
    if prompts < 2:
        raise ValueError(f"runtime.limit={prompts}: expected at least 2 prompts, half for the fit and half held out")
    if ranking in CERTAIN_ORDERS:
        raise ValueError(
            f"generation.ranking={ranking}: the order of picks is known without a prior; expected a ranking by "
            "confidence, such as low_confidence"
        )
    SelfSpeculative(builder="best_first").check_cache(plan.settings)
    followed = follow(plan, MOST_NODES - 1, record_trajectory)
    first = prompts // 2
    weights, picks = fit_prior(followed[:first])
    rows = held_out(followed[first:], weights)
    counts = {"prompts": first, "picks": picks, "held_out": prompts - first}
    write_atomically(options.out, prior_content(weights, circumstances(plan) | counts, rows))
    print(f"{options.out}: fitted to {picks} picks of {first} prompts")
    print(table(rows, prompts - first))


def write_graph(plan: Plan, options: argparse.Namespace) -> None:
    """Choose the nodes of a draft graph and write it."""
    followed = [steps for steps_of_one in follow(plan, options.depth, record) for steps in steps_of_one]
    nodes = tuple(choose(followed, options.nodes))
    if not nodes:
        settings = plan.settings
        raise ValueError(
            f"generation.block_length={settings.block_length}, generation.steps={settings.steps}: nothing to draft; "
            "expected blocks of at least three steps"
        )
    counts = {"prompts": len(plan.documents), "states": len(followed), "depth": options.depth}
    DraftGraph(nodes, circumstances(plan) | counts).write(options.out)
    deepest = max(len(node.steps) for node in nodes)
    print(
        f"{options.out}: {len(nodes)} drafts, up to {deepest} steps ahead, from {len(followed)} states of "
        f"{len(plan.documents)} prompts; {accepted(followed, nodes):.2f} drafts hold at the mean state"
    )


def follow(
    plan: Plan,
    depth: int,
    record_one: Callable[[DiffusionModel, Sequence[int], GenerationSettings, SpecialTokens, int], Recorded],
) -> list[Recorded]:
    """Decode all prompts; return what `record_one` returns for each."""
    model_path = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
    model_config = check_model(plan, read_config(model_path))
    prompts = render_all(plan, load_tokenizer(model_path), model_config)
    model = load_model(model_path, plan.runtime.torch_device(), DTYPES[plan.runtime.dtype])
    followed: list[Recorded] = []
    with progress(len(prompts), 0) as advance:
        for prompt in prompts:
            followed.append(record_one(model, prompt, plan.settings, plan.special, depth))
            advance()
    return followed


def circumstances(plan: Plan) -> dict[str, Any]:
    """Return what a file was calibrated on; `task` and `generation` include their seeds."""
    model = plan.config["model"]
    environment = describe(plan.runtime.torch_device(), resolve(model["path"], model["revision"]))
    return {
        "model": {"path": model["path"], "revision": model["revision"], "checkpoint": environment["checkpoint"]},
        "task": plan.config["task"],
        "generation": plan.config["generation"],
        "dtype": plan.runtime.dtype,
        "commit": environment["commit"],
        "dirty": environment["dirty"],
    }
