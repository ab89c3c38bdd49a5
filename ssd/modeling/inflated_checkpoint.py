"""Inflated checkpoints on disk, in the Hub's layout."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ssd.modeling.checkpoint import load_model
from ssd.modeling.config import ModelConfig
from ssd.modeling.inflate import Inflation
from ssd.modeling.json_values import read_json
from ssd.modeling.transformer import Transformer
from ssd.modeling.weight_files import INDEX
from ssd.modeling.weights import hub_names, to_hub_names

COPIED = (".json", ".txt", ".jinja", ".md")
"""Endings of the files beside the weights: tokenizer, generation_config, card, draft graph."""

NOTE = """
## Inflated

`ssd-bench inflate` made these weights from those described above: {layers} layers of width {width}.
They make the same decisions, and nothing else is better about them.
"""


def write_inflated(folder: Path, large: ModelConfig, out: Path, dtype: torch.dtype | None, shard_bytes: int) -> None:
    """Write the checkpoint of `folder`, inflated to the config `large`, as the new folder `out`.

    dtype: of the weights in the files; None: the source's. Memory holds the small model and one shard. A shard is
    larger than `shard_bytes` only if its single weight is.
    Raises OSError before anything is written: `out` exists, its parent does not, or the disk has too little space.
    """
    from huggingface_hub import split_torch_state_dict_into_shards
    from safetensors.torch import save_file

    small = load_model(folder)
    dtype = dtype or small.dtype
    with torch.device("meta"):
        weights = to_hub_names(dict(Transformer(large).to(dtype).named_parameters()), large)
    _check_place(out, sum(weight.nbytes for weight in weights.values()))
    inflation = Inflation(small.transformer, large)
    ours = {theirs: name for name, theirs in hub_names(large).items()}
    shards = split_torch_state_dict_into_shards(
        weights, filename_pattern="model{suffix}.safetensors", max_shard_size=shard_bytes
    )
    with tempfile.TemporaryDirectory(dir=out.absolute().parent, prefix=".inflate-") as temporary:
        draft = Path(temporary) / "checkpoint"
        draft.mkdir()
        for file in folder.iterdir():
            if file.suffix in COPIED and file.name not in ("config.json", INDEX):
                shutil.copyfile(file, draft / file.name)
        with (draft / "README.md").open("a") as card:
            card.write(NOTE.format(layers=large.layers, width=large.hidden_size))
        _write_json(draft / "config.json", _hub_config(folder, large, dtype))
        for name, keys in shards.filename_to_tensors.items():
            shard = {key: inflation.weight(ours[key], weights[key].shape, dtype) for key in keys}
            save_file(shard, draft / name, metadata={"format": "pt"})
            (draft / name).chmod(0o644)
        if shards.is_sharded:
            _write_json(draft / INDEX, {"metadata": shards.metadata, "weight_map": shards.tensor_to_filename})
        draft.rename(out)


def _check_place(out: Path, needed: int) -> None:
    parent = out.absolute().parent
    if not parent.is_dir():
        raise FileNotFoundError(f"{out}: there is no folder {parent}; name one that exists")
    if out.exists():
        raise FileExistsError(f"{out}: exists already; name a new folder, or delete this one")
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise OSError(
            f"{out}: the weights take {needed / 2**30:.1f} GiB, expected at most the {free / 2**30:.1f} GiB that are "
            "free; name a folder on another disk, a smaller shape or a narrower dtype"
        )


def _hub_config(folder: Path, large: ModelConfig, dtype: torch.dtype) -> dict[str, Any]:
    """Return the content of config.json: that of the source with the sizes of the large model."""
    hub, traits = dict(read_json(folder / "config.json").values), large.traits
    hub |= {key: getattr(large, name) for name, key in traits.sizes.items()}
    hub |= {traits.key_value_heads: large.key_value_heads, "rms_norm_eps": large.norm_epsilon}
    if traits.head_size_key:
        hub[traits.head_size_key] = large.head_size
    if traits.block_key:  # a source may have it in its folder's name alone
        hub[traits.block_key] = large.causal_block
    return hub | {key: str(dtype).removeprefix("torch.") for key in ("dtype", "torch_dtype") if key in hub}


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
