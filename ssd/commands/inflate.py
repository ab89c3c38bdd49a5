"""Write a checkpoint that makes the decisions of a small one at the size, and so at the cost, of a large one.

ssd-bench inflate --from checkpoints/dream_tiny --shape dream --out FOLDER [--dtype float32]
ssd-bench inflate --from checkpoints/llada_tiny --shape 0.3b --layers 12 --out FOLDER
python run.py model=dream_tiny model.path=FOLDER model.name=dream_inflated decoder=ssd task=tiny_math

It measures seconds at real sizes, not accuracy. The vocabulary stays; the last lines show what a real one would add.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ssd.commands.lists import whole
from ssd.config.runtime import DTYPES
from ssd.modeling.checkpoint import read_config, resolve
from ssd.modeling.config import ModelConfig
from ssd.modeling.inflate import SIZES, inflated_config
from ssd.modeling.inflated_checkpoint import write_inflated
from ssd.modeling.published import PUBLISHED
from ssd.modeling.transformer import Transformer

SMALLER: dict[str, dict[str, int]] = {
    "0.3b": {"hidden_size": 1024, "layers": 24, "heads": 16, "key_value_heads": 8, "mlp_size": 2816},
    "1b": {"hidden_size": 2048, "layers": 16, "heads": 32, "key_value_heads": 8, "mlp_size": 8192},
    "3b": {"hidden_size": 3072, "layers": 28, "heads": 24, "key_value_heads": 8, "mlp_size": 8192},
}
"""Shapes by the number of parameters without embedding and head; 1b and 3b are Llama 3.2's."""
NAMES = (*SMALLER, *PUBLISHED)
SHARD_MIB = 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the checkpoint and print its size; return the exit status."""
    options = parse(arguments)
    folder = resolve(options.source, option="--from")
    small = read_config(folder)
    large = inflated_config(small, chosen_sizes(options, small))
    begun = time.monotonic()
    write_inflated(folder, large, options.out, DTYPES.get(options.dtype), options.shard_mib * 2**20)
    print(f"{options.out}: {large.layers} layers of width {large.hidden_size}, {time.monotonic() - begun:.0f} s")
    print("\n".join(size_lines(large, options.shape)))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", metavar="FOLDER", required=True, help="the small checkpoint")
    parser.add_argument("--shape", choices=NAMES, help="sizes of a known model; default: those of the source")
    parser.add_argument("--out", type=Path, metavar="FOLDER", required=True, help="the new folder")
    for name in SIZES:
        option = name.removeprefix("own_").replace("_", "-")
        parser.add_argument(f"--{option}", dest=name, type=whole(1), help="instead of the shape's")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="of the files; default: the source's")
    parser.add_argument("--shard-mib", type=whole(1), default=SHARD_MIB, help=f"of one file (default {SHARD_MIB})")
    return parser.parse_args(arguments)


def chosen_sizes(options: argparse.Namespace, small: ModelConfig) -> dict[str, Any]:
    """Return the sizes of the shape, or of the source; options for single sizes win."""
    shape = PUBLISHED.get(options.shape, small)
    sizes: dict[str, Any] = {name: getattr(shape, name) for name in SIZES}
    if options.shape in SMALLER:
        sizes = {"own_head_size": None} | SMALLER[options.shape]
    return sizes | {name: size for name in SIZES if (size := getattr(options, name)) is not None}


def size_lines(large: ModelConfig, shape: str | None) -> list[str]:
    """Return lines with the parameters and FLOPs of the layers, and of the head with and without a real vocabulary."""
    with torch.device("meta"):
        layers = Transformer(large).layers
    body = sum(weight.numel() for weight in layers.parameters() if weight.dim() == 2)
    known = PUBLISHED.get(shape or "") or next(each for each in PUBLISHED.values() if each.family == large.family)
    heads = {size: size * large.hidden_size for size in (large.vocabulary_size, known.vocabulary_size)}
    parts = {"layers": body} | {f"head, {size:,} tokens": count for size, count in heads.items()}
    lines = [f"{'':<22} {'M parameters':>12} {'MFLOP per row':>13} {'of the layers':>13}"]
    lines += [
        f"{name:<22} {count / 1e6:>12,.1f} {2 * count / 1e6:>13,.1f} {count / body:>13.1%}"
        for name, count in parts.items()
    ]
    return [*lines, "An embedding has as many parameters as the head, and costs no products."]
