"""What a window forward costs as nodes are added, for every cache mode; and what decoding costs outside the model.

python scripts/bench_forward.py [--model llada_tiny] [--nodes 1,2,4,8,16,32] [--repeats 20]
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from baselines.stepwise import Stepwise
from ssd.bench.clock import timed
from ssd.bench.plan import DTYPES
from ssd.decoding.canvas import Canvas, check_prompt
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.checkpoint import PROJECT_ROOT, load_model, resolve
from ssd.modeling.dllm import MaskedDiffusionModel

CACHES = ("none", "prefix", "dual")


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    preset = OmegaConf.load(PROJECT_ROOT / "conf" / "model" / f"{options.model}.yaml")
    special = SpecialTokens(preset.model.mask_id, tuple(preset.model.end_ids))
    device = torch.device(options.device)
    dtype = DTYPES[options.dtype or preset.runtime.dtype]
    model = load_model(resolve(str(options.path or preset.model.path), preset.model.revision), device, dtype)
    console = Console(width=100)
    console.print(
        f"{options.model}, {str(dtype)[6:]}, {device}, {torch.get_num_threads()} threads, prompt {options.prompt}"
    )
    for cache in CACHES:
        settings = GenerationSettings(gen_length=options.gen_length, block_length=options.block_length, cache=cache)
        console.print(forward_table(model, settings, special, options))
    settings = GenerationSettings(gen_length=options.gen_length, block_length=options.block_length)
    share = overhead(model, settings, special, options)
    console.print(f"stepwise decoding, dual cache: {share:.1%} of its time outside the model's forward")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="llada_tiny", choices=sorted(p.stem for p in model_presets()))
    parser.add_argument("--path", type=Path, help="a checkpoint's folder, instead of the preset's path")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=sorted(DTYPES))
    parser.add_argument("--nodes", type=node_counts, default=[1, 2, 4, 8, 16, 32], help="states per forward, as 1,2,4")
    parser.add_argument("--prompt", type=int, default=64, help="prompt tokens")
    parser.add_argument("--gen-length", type=int, default=64)
    parser.add_argument("--block-length", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int)
    return parser.parse_args(arguments)


def node_counts(text: str) -> list[int]:
    """Numbers of nodes from a list with commas."""
    counts = [int(word) for word in text.split(",")]
    if min(counts) < 1:
        raise ValueError(f"{text}: expected numbers of at least 1")
    return counts


def model_presets() -> list[Path]:
    return list((PROJECT_ROOT / "conf" / "model").glob("*.yaml"))


def forward_table(
    model: MaskedDiffusionModel, settings: GenerationSettings, special: SpecialTokens, options: argparse.Namespace
) -> Table:
    """Median milliseconds per verify forward over the first block; node counts are measured in turn, round by round."""
    prompt = [special.end_ids[0]] * options.prompt
    check_prompt(prompt, settings, special, model.config)
    canvas = Canvas(prompt, settings, special)
    block = next(canvas.blocks(settings, model.config.logits_shift))
    window = block.window
    context = None if window.is_whole else model.refresh(canvas.tokens, block.refresh)[1]
    states = canvas.tokens[window.start : window.stop]
    seconds: dict[int, list[float]] = {nodes: [] for nodes in sorted({1, *options.nodes})}
    for repeat in range(options.repeats + 3):
        for nodes, measured in seconds.items():
            batch = states.repeat(nodes, 1)
            _, latency_s = timed(lambda batch=batch: model.window(batch, window, context), model.device)
            if repeat >= 3:
                measured.append(latency_s)
    table = Table(title=f"cache {settings.cache}: window of {window.size} positions", title_justify="left")
    for name in ("nodes", "ms per forward", "ratio to one node", "rows per s"):
        table.add_column(name, justify="right")
    one = statistics.median(seconds[1])
    for nodes, measured in seconds.items():
        median = statistics.median(measured)
        table.add_row(str(nodes), f"{median * 1e3:.2f}", f"{median / one:.2f}", f"{nodes * window.size / median:,.0f}")
    return table


def overhead(
    model: MaskedDiffusionModel, settings: GenerationSettings, special: SpecialTokens, options: argparse.Namespace
) -> float:
    """The share of stepwise decoding's time that is not spent inside `refresh` and `window`."""
    watched = Watched(model)
    prompt = [special.end_ids[0]] * options.prompt
    shares = []
    for repeat in range(5):
        watched.inside_s = 0.0
        _, total_s = timed(lambda: Stepwise().decode(watched, prompt, settings, special), model.device)
        if repeat:
            shares.append(1 - watched.inside_s / total_s)
    return statistics.median(shares)


class Watched(MaskedDiffusionModel):
    """The same model, adding up the time spent inside its forwards."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config
        self.inside_s = 0.0

    def refresh(self, *arguments: Any) -> Any:
        return self._timed(super().refresh, *arguments)

    def window(self, *arguments: Any) -> Any:
        return self._timed(super().window, *arguments)

    def _timed(self, call: Callable[..., Any], *arguments: Any) -> Any:
        result, latency_s = timed(lambda: call(*arguments), self.device)
        self.inside_s += latency_s
        return result


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
