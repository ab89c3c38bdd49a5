"""Train one of the tiny checkpoints: `python -m scripts.train_tiny --model llada_tiny`.

Progress is saved to `outputs/training/<model>/` every minute. After an interruption, the same command continues with
the same result. The finished checkpoint is written to `checkpoints/<model>/`.
"""

import argparse
import ctypes
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from omegaconf import OmegaConf
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import PreTrainedTokenizerFast

from scripts.tiny.batches import Batch, Pool
from scripts.tiny.block_causal import two_copy_logits
from scripts.tiny.card import model_card
from scripts.tiny.evaluation import Score, evaluate
from scripts.tiny.export import export, round_to_bfloat16
from scripts.tiny.networks import Network, block_of, build, is_causal, logits, start_from
from scripts.tiny.optimiser import Optimisers, rate_share
from scripts.tiny.tokenizer import train_tokenizer, wrap
from ssd.modeling.transformer import Transformer
from ssd.tasks.tiny_language import TASKS

ROOT = Path(__file__).resolve().parent.parent


class Training:
    """A network in training, with its tokenizer, data and optimisers. Its state can be saved and continued."""

    def __init__(self, recipe: Mapping[str, Any], state_file: Path) -> None:
        self.recipe = recipe
        self.state_file = state_file
        self.tokenizer = wrap(train_tokenizer(), recipe["starts_with"], recipe["context_length"])
        self.hub_config = _fill_ids(recipe["config"], self.tokenizer)
        self.network: Network = build(self.hub_config, recipe["seed"])
        self.pool = Pool(self.tokenizer, recipe["pool"], recipe["parts"], recipe["seed"])
        if recipe["starts_from"]:
            sample = self.pool.batches(0, causal=False)[0].inputs
            start_from(self.network, ROOT / recipe["starts_from"], sample)
        self.optimisers = Optimisers(self.network, recipe["muon_rate"], recipe["adamw_rate"])
        self.step = 0
        self.seconds = 0.0
        if state_file.exists():
            state = torch.load(state_file, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimisers.load_state_dict(state["optimisers"])
            self.step, self.seconds = state["step"], state["seconds"]

    def advance(self) -> float:
        """Take one step and return its loss."""
        began = time.monotonic()
        loss = 0.0
        for batch in self.pool.batches(self.step, is_causal(self.network), block_of(self.network)):
            part = batch_loss(self.network, batch)
            part.backward()
            loss += part.item()
        self.optimisers.step(rate_share(self.step, self.recipe["steps"], self.recipe["warmup"]))
        self.step += 1
        self.seconds += time.monotonic() - began
        return loss

    def save(self) -> None:
        """Write the state that a continuation needs, atomically."""
        self.state_file.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "network": self.network.state_dict(),
            "optimisers": self.optimisers.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        draft = self.state_file.with_suffix(".draft")
        torch.save(state, draft)
        os.replace(draft, self.state_file)

    def score(self, count: int, tokens_per_step: int = 1, tasks: Iterable[str] = TASKS) -> list[Score]:
        """Return the scores on `count` held-out documents of each task."""
        seed = self.recipe["evaluation_seed"]
        return [evaluate(self.network, self.tokenizer, task, count, seed, tokens_per_step) for task in tasks]

    def export(self, folder: Path, scores: Sequence[Score]) -> None:
        """Write the checkpoint and its card to a folder."""
        card = model_card(self.recipe, self.network, self.step, self.seconds, scores)
        export(self.network, self.tokenizer, self.hub_config, card, folder)


def batch_loss(network: Network, batch: Batch) -> torch.Tensor:
    """Return the weighted cross-entropy of the positions with a weight."""
    chosen = batch.weights > 0
    if block_of(network) is not None and isinstance(network, Transformer):
        predicted = two_copy_logits(network, batch.inputs, batch.targets, batch.offset, chosen)
    else:
        predicted = logits(network, batch.inputs)[chosen]
    return (F.cross_entropy(predicted, batch.targets[chosen], reduction="none") * batch.weights[chosen]).sum()


def train(training: Training, folder: Path) -> list[Score]:
    """Train to the last step and return the final scores. Save, evaluate and export during training."""
    recipe = training.recipe
    steps, average, last_save = recipe["steps"], 0.0, time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task(recipe["name"], total=steps, completed=training.step)
        while training.step < steps:
            loss = training.advance()
            average = loss if not average else 0.98 * average + 0.02 * loss
            progress.update(bar, completed=training.step, description=f"{recipe['name']} loss {average:.3f}")
            if training.step % 50 == 0:
                _log(f"step {training.step}/{steps} loss {average:.4f} {training.seconds / training.step:.3f} s/step")
            if time.monotonic() - last_save > recipe["save_seconds"]:
                training.save()
                last_save = time.monotonic()
            if training.step % recipe["evaluate_every"] == 0 and training.step < steps:
                scores = training.score(recipe["quick_count"], recipe["quick_tokens_per_step"])
                _report(scores)
                training.export(folder, scores)
    training.save()
    round_to_bfloat16(training.network)
    scores = training.score(recipe["final_count"])
    _report(scores)
    training.export(folder, scores)
    return scores


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for the next step. Returning it and faulting it in again takes half the time."""
    if sys.platform == "linux":
        library = ctypes.CDLL(None)
        for parameter, value in (_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD):
            library.mallopt(parameter, value)


_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = (-3, 1 << 25), (-1, 2**31 - 1), (-2, 1 << 28)
"""Parameters of mallopt(3) and the values that keep memory."""


def read_recipe(path: Path) -> dict[str, Any]:
    """Return a recipe; raise an error if the file or one of its keys is missing."""
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.yaml")))
        raise FileNotFoundError(f"no recipe {path.name}; there are {known}")
    recipe = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.load(path), resolve=True))
    missing = sorted(_RECIPE_KEYS - recipe.keys())
    if missing:
        raise ValueError(f"{path.name} lacks {', '.join(missing)}")
    return recipe


_RECIPE_KEYS = {
    "name", "about", "notes", "seed", "threads", "steps", "warmup", "muon_rate", "adamw_rate", "starts_from",
    "starts_with", "context_length", "pool", "parts", "save_seconds", "evaluate_every", "quick_count",
    "quick_tokens_per_step", "final_count", "evaluation_seed", "config",
}  # fmt: skip


def _fill_ids(hub_config: Mapping[str, Any], tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """Return a config.json with the tokenizer's ids and size in place of null."""
    ids = {
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "mask_token_id": tokenizer.mask_token_id,
        "vocab_size": len(tokenizer),
        "embedding_size": len(tokenizer),
    }
    return {key: ids[key] if value is None and key in ids else value for key, value in hub_config.items()}


def _log(line: str) -> None:
    if not sys.stdout.isatty():
        print(time.strftime("%H:%M:%S"), line, flush=True)


def _report(scores: Sequence[Score]) -> None:
    for score in scores:
        print(score, flush=True)
        for given, expected in score.wrong[:2]:
            print(f"  wrong {given!r}\n  right {expected!r}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description="Train a tiny checkpoint from scripts/tiny/recipes/<model>.yaml.")
    parser.add_argument("--model", required=True, help="name of a recipe, such as llada_tiny")
    parser.add_argument("--restart", action="store_true", help="forget earlier progress")
    parser.add_argument("overrides", nargs="*", help="recipe settings to change, such as steps=100")
    options = parser.parse_args(arguments)
    try:
        recipe = read_recipe(ROOT / "scripts" / "tiny" / "recipes" / f"{options.model}.yaml")
        changes = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.from_dotlist(options.overrides)))
        recipe = cast(dict[str, Any], OmegaConf.to_container(OmegaConf.merge(recipe, changes)))
        torch.set_num_threads(recipe["threads"])
        keep_freed_memory()
        state_file = ROOT / "outputs" / "training" / recipe["name"] / "state.pt"
        if options.restart:
            state_file.unlink(missing_ok=True)
        train(Training(recipe, state_file), ROOT / "checkpoints" / recipe["name"])
    except KeyboardInterrupt:
        print("train_tiny: stopped; the same command continues from the last save", file=sys.stderr)
        return 130
    except (OSError, ValueError) as error:
        print(f"train_tiny: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
