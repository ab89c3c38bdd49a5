"""Matrix products as libraries compute them: in tiles, and in another order of sums where rows are few or left over."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd.modeling.dllm import MaskedDiffusionModel

TILE = 8


def in_tiles(model: MaskedDiffusionModel) -> MaskedDiffusionModel:
    """The model, changed in place: every product depends on how many tiles its rows fill, and at its edge on more."""
    for linear in model.transformer.modules():
        if isinstance(linear, nn.Linear):
            linear.forward = lambda inputs, linear=linear: _tiled(inputs, linear)
    return model


def _tiled(inputs: Tensor, linear: nn.Linear) -> Tensor:
    rows = inputs.reshape(-1, inputs.shape[-1])
    tiles = len(rows) // TILE
    inner, edge = rows.split([tiles * TILE, len(rows) - tiles * TILE])
    outputs = [_in_parts(inner, linear, 1 + tiles % 3), _in_parts(edge, linear, 4)]
    return torch.cat(outputs).view(*inputs.shape[:-1], -1)


def _in_parts(rows: Tensor, linear: nn.Linear, parts: int) -> Tensor:
    """The product as a sum of `parts` products, each rounded to the model's dtype."""
    pairs = zip(rows.chunk(parts, dim=-1), linear.weight.chunk(parts, dim=-1), strict=True)
    total = sum(F.linear(part, weight) for part, weight in pairs)
    return total if linear.bias is None else total + linear.bias
