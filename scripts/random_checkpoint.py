"""Write random weights in the shape of a folder's config.json, sharded as on the Hub: does a model of this size fit?

python -m scripts.random_checkpoint FOLDER [--dtype bfloat16] [--shard-mib 1024]

The folder must hold config.json and the tokenizer's files. Memory holds one shard at a time.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ssd.config.runtime import DTYPES
from ssd.modeling.checkpoint import read_config
from ssd.modeling.transformer import Transformer
from ssd.modeling.weight_files import INDEX
from ssd.modeling.weights import hub_names
from ssd.results.store import write_json


def main(arguments: Sequence[str] | None = None) -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", type=Path)
    words.add_argument("--dtype", choices=sorted(DTYPES), default="bfloat16")
    words.add_argument("--shard-mib", type=int, default=1024, help="least size of a shard; the last one may be smaller")
    options = words.parse_args(arguments)
    files = write_shards(options.folder, DTYPES[options.dtype], options.shard_mib * 2**20)
    print(f"{options.folder}: {len(files)} files, {sum(file.stat().st_size for file in files) / 2**20:,.0f} MiB")


def write_shards(folder: Path, dtype: torch.dtype, least_bytes: int, seed: int = 0) -> list[Path]:
    """Write the shards and their index; return the shards. Logits have about unit variance, norms are 1, biases 0.

    Raises FileNotFoundError or ValueError as `read_config`.
    """
    config = read_config(folder)
    with torch.device("meta"):
        transformer = Transformer(config)
    generator = torch.Generator().manual_seed(seed)
    index: dict[str, str] = {}
    files: list[Path] = []
    shard: dict[str, Tensor] = {}

    def flush() -> None:
        files.append(folder / f"model-{len(files) + 1:05}.safetensors")
        save_file(shard, files[-1], metadata={"format": "pt"})
        index.update(dict.fromkeys(shard, files[-1].name))
        shard.clear()

    for ours, theirs in hub_names(config).items():
        shape = transformer.get_parameter(ours).shape
        if len(shape) == 1:
            shard[theirs] = torch.full(shape, 0.0 if ours.endswith("bias") else 1.0, dtype=dtype)
        else:
            drawn = torch.empty(shape, dtype=dtype).normal_(generator=generator)
            shard[theirs] = drawn if "embedding" in ours and not config.tied_head else drawn.mul_(shape[1] ** -0.5)
        if sum(weight.nbytes for weight in shard.values()) >= least_bytes:
            flush()
    if shard:
        flush()
    write_json(folder / INDEX, {"metadata": {}, "weight_map": index})
    return files


if __name__ == "__main__":
    main()
