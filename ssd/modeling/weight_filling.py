"""Weights from files into a transformer."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ssd.modeling.transformer import Transformer
from ssd.modeling.weights import for_products

STORED_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def check_names(folder: Path, expected: set[str], stored: set[str]) -> None:
    """Raise ValueError that names missing or unexpected weights of a folder."""
    for problem, names in (("missing", expected - stored), ("unexpected", stored - expected)):
        if names:
            listed = sorted(names)
            more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
            raise ValueError(
                f"{folder}: {problem} weight {', '.join(listed[:4])}{more}; does config.json belong to these files?"
            )


def fill(
    transformer: Transformer,
    file: Path,
    keys: list[str],
    ours: dict[str, str],
    expected: dict[str, torch.Size],
    device: str | torch.device,
    dtype: torch.dtype | None,
) -> None:
    """Read weights of one file, tensor by tensor, into a transformer on the meta device.

    ours, expected: our name and the shape of each key. Raises ValueError for an absent, misshapen or quantised weight.
    """
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        absent = sorted(set(keys) - set(tensors.keys()))
        if absent:
            raise ValueError(f"{file}: no weight {absent[0]}, although the index names this file for it")
        for key in keys:
            tensor = tensors.get_tensor(key)
            if tensor.shape != expected[key]:
                raise ValueError(
                    f"{file}: weight {key} has shape {list(tensor.shape)}, config.json asks for {list(expected[key])}"
                )
            if tensor.dtype not in STORED_DTYPES:
                raise ValueError(
                    f"{file}: weight {key} is stored as {str(tensor.dtype).removeprefix('torch.')}; expected an "
                    "unquantised checkpoint: float32, float16 or bfloat16"
                )
            owner, _, leaf = ours[key].rpartition(".")
            weight = tensor.to(device=device, dtype=dtype)
            if ours[key] != "embedding.weight":
                weight = for_products(weight)
            parameter = nn.Parameter(weight, requires_grad=False)
            setattr(transformer.get_submodule(owner), leaf, parameter)
            if transformer.config.tied_head and owner == "embedding":
                transformer.head.weight = parameter
