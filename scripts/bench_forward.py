"""What forwards cost as nodes are added, beside the least that they could; and how the cost grows with the response.

python -m scripts.bench_forward [--model llada_tiny] [--nodes 1,2,4,8,16,32] [--budget 10]
python -m scripts.bench_forward --model llada --random --device cuda --dtype bfloat16 \\
    --prompt 1024 --gen-length 256 --block-length 32 --nodes 1,8,16 --json results/reference/FILE.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from ssd.bench.cost.floor import Rates
from ssd.bench.cost.rows import forward_rows, growth_rows
from ssd.bench.cost.shapes import random_weights, shape_with
from ssd.bench.environment import describe
from ssd.bench.runtime import DTYPES
from ssd.bench.store import write_json
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.checkpoint import PROJECT_ROOT, load_model, local_folder, read_config, resolve
from ssd.modeling.dllm import MaskedDiffusionModel

CACHES = ("none", "prefix", "dual")
COLUMNS = {
    "nodes": "{nodes}",
    "ms": "{ms:.2f}",
    "to one node": "{to_one_node:.2f}",
    "rows per s": "{rows_per_s:,.0f}",
    "MB": "{megabytes:,.1f}",
    "GFLOP": "{gigaflops:,.2f}",
    "floor ms": "{floor_ms:.3f}",
    "to floor": "{to_floor:.2f}",
    "MBU": "{mbu:.1%}",
}
GROWTH_COLUMNS = {
    "gen_length": "{gen_length}",
    "NFE": "{nfe}",
    "refresh ms": "{refresh_ms:.2f}",
    "decode ms": "{decode_ms:.2f}",
    "s per response": "{seconds:.3f}",
    "ms per token": "{ms_per_token:.2f}",
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    preset = OmegaConf.load(PROJECT_ROOT / "conf" / "model" / f"{options.model}.yaml")
    special = SpecialTokens(preset.model.mask_id, tuple(preset.model.end_ids))
    model, checkpoint = build(options, preset)
    rates, console = Rates.measure(model), Console(width=100)
    console.print(
        f"{options.model}{', random weights' if options.random else ''}, {str(model.dtype)[6:]}, {model.device}, "
        f"{torch.get_num_threads()} threads, prompt {options.prompt}\n"
        f"copies {rates.bytes_per_s / 1e9:,.1f} GB/s, products {rates.flops_per_s / 1e12:,.3f} TFLOP/s"
    )
    settings = GenerationSettings(gen_length=options.gen_length, block_length=options.block_length)
    tables = {}
    for cache in CACHES:
        rows = forward_rows(
            model, replace(settings, cache=cache), special, options.prompt, options.nodes, rates, options.budget
        )
        tables[cache] = rows
        console.print(table(f"cache {cache}: window of {rows[-1]['window']} positions", COLUMNS, rows))
    growth = growth_rows(model, settings, special, options.prompt, options.growth, options.budget)
    console.print(
        table("stepwise decoding, dual cache; uncached, a token costs about a refresh", GROWTH_COLUMNS, growth)
    )
    if options.json:
        asked = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        figures = {"options": asked, "rates": asdict(rates), "forwards": tables, "growth": growth}
        write_json(options.json, {"environment": describe(model.device, checkpoint), **figures})


def build(options: argparse.Namespace, preset: DictConfig) -> tuple[MaskedDiffusionModel, Path | None]:
    """The model and its checkpoint's folder, or with random weights in its shape, for which a config.json is enough."""
    device, dtype = torch.device(options.device), DTYPES[options.dtype or preset.runtime.dtype]
    if options.random:
        folder = options.path or local_folder(preset.model.path)
        return random_weights(read_config(folder) if folder else shape_with(preset.model.mask_id), device, dtype), None
    folder = resolve(str(options.path or preset.model.path), preset.model.revision)
    return load_model(folder, device, dtype), folder


def table(title: str, columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> Table:
    """One line per row; every column's template is filled from the row."""
    drawn = Table(title=title, title_justify="left")
    for name in columns:
        drawn.add_column(name, justify="right")
    for row in rows:
        drawn.add_row(*(template.format(**row) for template in columns.values()))
    return drawn


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    presets = sorted(file.stem for file in (PROJECT_ROOT / "conf" / "model").glob("*.yaml"))
    parser.add_argument("--model", default="llada_tiny", choices=presets)
    parser.add_argument("--path", type=Path, help="a checkpoint's folder, instead of the preset's path")
    parser.add_argument(
        "--random", action="store_true", help="random weights in the model's shape; nothing is downloaded"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=sorted(DTYPES))
    parser.add_argument("--nodes", type=counts, default=[1, 2, 4, 8, 16, 32], help="states per forward, as 1,2,4")
    parser.add_argument("--prompt", type=int, default=64, help="prompt tokens")
    parser.add_argument("--gen-length", type=int, default=64)
    parser.add_argument("--block-length", type=int, default=32)
    parser.add_argument("--growth", type=counts, default=[128, 256, 512, 1024, 2048], help="values of gen_length")
    parser.add_argument("--budget", type=float, default=10.0, help="seconds of timing per table")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="a file to write the figures and their circumstances to")
    return parser.parse_args(arguments)


def counts(text: str) -> list[int]:
    """Numbers from a list with commas."""
    if not all(word.isdecimal() and int(word) for word in text.split(",")):
        raise argparse.ArgumentTypeError(f"{text}: expected whole numbers of at least 1, as 1,2,4")
    return [int(word) for word in text.split(",")]


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
