"""Calibrate a draft graph for `decoder=spiffy` on how stepwise decoding goes on from every state it stands at.

python scripts/calibrate_spiffy.py model=llada_tiny task=tiny_math task.seed=7 runtime.limit=30 --out FILE
[--nodes 16] [--depth 8]

The words are those of run.py. Take prompts that you will not report on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from ssd.config.model_words import plain_words
from ssd.config.plan import Plan, make_plan
from ssd.config.runtime import DTYPES
from ssd.modeling.checkpoint import load_model, load_tokenizer, read_config, resolve
from ssd.paths import CONF
from ssd.results.environment import describe
from ssd.run.checks import check_model, render_all
from ssd.run.progress import progress
from ssd.speculation.calibration import accepted, choose, record
from ssd.speculation.draft_graph import DraftGraph, Steps


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    plan = make_plan(composed(options.words))
    if plan.runtime.threads:
        torch.set_num_threads(plan.runtime.threads)
    followed = follow(plan, options.depth)
    nodes = tuple(choose(followed, options.nodes))
    if not nodes:
        settings = plan.settings
        raise ValueError(
            f"generation.block_length={settings.block_length}, generation.steps={settings.steps}: nothing to draft; "
            "expected blocks of at least three steps"
        )
    DraftGraph(nodes, circumstances(plan, options.depth, len(followed))).write(options.out)
    deepest = max(len(node.steps) for node in nodes)
    print(
        f"{options.out}: {len(nodes)} drafts, up to {deepest} steps ahead, from {len(followed)} states of "
        f"{len(plan.documents)} prompts; {accepted(followed, nodes):.2f} drafts hold at the mean state"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options. Raises ValueError or FileNotFoundError before anything is decoded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="what run.py would be given, such as model=llada_tiny")
    parser.add_argument("--out", type=Path, required=True, help="the file to write, for decoder.graph=FILE")
    parser.add_argument("--nodes", type=int, default=16, help="drafted nodes")
    parser.add_argument("--depth", type=int, default=8, help="steps drafted ahead at most, as in decoder.depth")
    options = parser.parse_intermixed_args(arguments)
    for name in ("nodes", "depth"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} {getattr(options, name)}: expected a whole number of at least 1")
    if not options.out.parent.is_dir():  # made by us, a folder of a Hub id's name would pass for the model
        raise FileNotFoundError(f"--out {options.out}: there is no folder {options.out.parent}; name one that exists")
    return options


def composed(words: Sequence[str]) -> DictConfig:
    """The configuration of a stepwise run: an experiment may name the very decoder that still lacks its graph."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=plain_words(words))
    config.decoder = OmegaConf.load(CONF / "decoder" / "stepwise.yaml")
    return config


def follow(plan: Plan, depth: int) -> list[Steps]:
    """Decode all prompts; what followed every state, by rank."""
    model_path = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
    model_config = check_model(plan, read_config(model_path))
    prompts = render_all(plan, load_tokenizer(model_path), model_config)
    model = load_model(model_path, plan.runtime.torch_device(), DTYPES[plan.runtime.dtype])
    followed: list[Steps] = []
    with progress(len(prompts), 0) as advance:
        for prompt in prompts:
            followed += record(model, prompt, plan.settings, plan.special, depth)
            advance()
    return followed


def circumstances(plan: Plan, depth: int, states: int) -> dict[str, Any]:
    """What the graph was calibrated on."""
    model = plan.config["model"]
    environment = describe(plan.runtime.torch_device(), resolve(model["path"], model["revision"]))
    return {
        "model": {"path": model["path"], "revision": model["revision"], "checkpoint": environment["checkpoint"]},
        "task": plan.config["task"],
        "prompts": len(plan.documents),
        "states": states,
        "depth": depth,
        "generation": plan.config["generation"],
        "dtype": plan.runtime.dtype,
        "commit": environment["commit"],
        "dirty": environment["dirty"],
    }


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError, FloatingPointError, HydraException) as error:
        sys.exit(f"error: {error}")
