"""Names of weights: the Hub's for each family, and ours."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ssd.modeling.attention import widest
from ssd.modeling.config import ModelConfig

_NORMS = ("query_norm", "key_norm")


def hub_names(config: ModelConfig) -> dict[str, str]:
    """Return our parameter name → the Hub's weight name, for every weight of a model with this config."""
    theirs_of = config.traits.weights
    names = {ours: theirs for ours, theirs in theirs_of.outer.items() if not (config.tied_head and "head" in ours)}
    parts = {ours: theirs for ours, theirs in theirs_of.parts.items() if config.query_key_norm or ours not in _NORMS}
    for index in range(config.layers):
        prefix = theirs_of.layer.format(index)
        for ours, theirs in parts.items():
            names[f"layers.{index}.{ours}.weight"] = f"{prefix}{theirs}.weight"
            if config.query_key_value_bias and ours in ("query", "key", "value"):
                names[f"layers.{index}.{ours}.bias"] = f"{prefix}{theirs}.bias"
    return names


def to_hub_names(weights: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Return the same tensors under the Hub's weight names."""
    return {theirs: weights[ours] for ours, theirs in hub_names(config).items()}


def for_products(weight: Tensor) -> Tensor:
    """Return the same weight in the memory order that is fastest for products with few rows.

    On a CPU in float32 or wider a matrix [outputs, inputs] is stored column by column: products with a block's rows
    take about 10 % less time. In 16 bits this order would be several times as slow.
    """
    if weight.dim() < 2 or weight.device.type != "cpu" or weight.dtype != widest(weight.dtype):
        return weight
    return weight.t().contiguous().t()
