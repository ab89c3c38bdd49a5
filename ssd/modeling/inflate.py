"""Inflation: the weights of a large model that makes the decisions of a small one.

Hidden width, heads and MLP are padded with zeros. Further layers repeat those of the small model, and add nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ssd.modeling.config import ModelConfig
from ssd.modeling.transformer import Transformer

SIZES = ("hidden_size", "layers", "heads", "key_value_heads", "mlp_size", "own_head_size")
"""The fields of a config that may grow."""
_AXES = {
    "embedding": ("vocabulary", "hidden"),
    "query": ("queries", "hidden"),
    "key": ("keys", "hidden"),
    "value": ("keys", "hidden"),
    "query_norm": ("head",),
    "key_norm": ("head",),
    "attention_out": ("hidden", "queries"),
    "gate": ("mlp", "hidden"),
    "up": ("mlp", "hidden"),
    "down": ("hidden", "mlp"),
    "head": ("vocabulary", "hidden"),
} | dict.fromkeys(("attention_norm", "mlp_norm", "norm"), ("hidden",))
"""What the rows and the columns of a weight stand for. A bias has its weight's rows."""
_LAYER_OUTPUTS = ("attention_out", "down")


def inflated_config(small: ModelConfig, sizes: Mapping[str, Any]) -> ModelConfig:
    """Return the small model's config with other `SIZES`. Raises ValueError for sizes that cannot hold the small model.

    The mean square of padded values shrinks with their share of the width, and so does the norms' epsilon.
    """
    large = replace(small, **sizes)
    if large.head_size * large.heads == large.hidden_size:
        large = replace(large, own_head_size=None)
    for name in ("hidden_size", "mlp_size", "layers", "key_value_heads"):
        least, given = getattr(small, name), getattr(large, name)
        if given < least:
            raise ValueError(f"{name} is {given}, expected at least the source's {least}; take a larger shape")
    if large.own_head_size is None and large.hidden_size % large.heads:
        raise ValueError(f"hidden_size is {large.hidden_size}, expected a multiple of the {large.heads} heads")
    if large.own_head_size is not None and large.traits.head_size_key is None:
        raise ValueError(
            f"the heads' size is {large.head_size}, but {large.heads} heads share the hidden size {large.hidden_size} "
            f"in the family {large.family}; take a shape without a head size of its own"
        )
    if large.head_size % small.head_size:
        raise ValueError(
            f"the heads' size is {large.head_size}, expected a multiple of the source's {small.head_size}: rotations "
            "must keep their frequencies"
        )
    group, least = large.heads // large.key_value_heads, small.heads // small.key_value_heads
    if large.heads % large.key_value_heads or group < least:
        raise ValueError(
            f"{large.heads} heads share {large.key_value_heads} key/value heads, expected the same number for each, "
            f"and at least the source's {least}; take more heads, or fewer key/value heads"
        )
    return replace(large, norm_epsilon=small.norm_epsilon * small.hidden_size / large.hidden_size)


class Inflation:
    """The weights of a large model, made one by one from those of a small one.

    d, D: the hidden sizes of the small and the large model; r: the large head size divided by the small one.
    A norm over padded values returns sqrt(D / d) times as much, which its weight takes back. Scores are divided by the
    square root of the head size, so that queries grow by sqrt(r).
    Norms of queries and keys (SDAR) are over heads, but have the epsilon of the hidden width, times d / D. Both are
    scaled by sqrt(r · d / D) before the norm, and the epsilon then has its old share. Of the query norm's weight the
    factors 1 / sqrt(r), for the padded head, and sqrt(r), for the scores, cancel out.
    """

    def __init__(self, small: Transformer, large: ModelConfig) -> None:
        self.small, self.large = small, large
        config = small.config
        head = _head_places(config.head_size, large.head_size)
        keys = torch.arange(config.key_value_heads)
        group, large_group = (each.heads // each.key_value_heads for each in (config, large))
        queries = (keys[:, None] * large_group + torch.arange(group)).flatten()
        self.places = {
            "vocabulary": torch.arange(config.vocabulary_size),
            "hidden": torch.arange(config.hidden_size),
            "mlp": torch.arange(config.mlp_size),
            "head": head,
            "keys": (keys[:, None] * large.head_size + head).flatten(),
            "queries": (queries[:, None] * large.head_size + head).flatten(),
        }
        narrow, ratio = config.hidden_size / large.hidden_size, large.head_size / config.head_size
        self.scales = dict.fromkeys(("attention_norm", "mlp_norm", "norm"), narrow**0.5)
        if config.query_key_norm:
            self.scales |= {"query": (ratio * narrow) ** 0.5, "key": (ratio * narrow) ** 0.5, "key_norm": ratio**-0.5}
        else:
            self.scales["query"] = ratio**0.5

    def weight(self, name: str, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Return the large model's weight of this name (ours). A layer that the small model lacks outputs zeros."""
        *layer, part, leaf = name.split(".")
        large = torch.zeros(shape, dtype=dtype)
        if layer:
            index, layers = int(layer[1]), self.small.config.layers
            if index >= layers and part in _LAYER_OUTPUTS:
                return large
            layer[1] = str(index % layers)
        small = self.small.get_parameter(".".join((*layer, part, leaf))).double() * self.scales.get(part, 1.0)
        places = [self.places[axis] for axis in _AXES[part][: small.dim()]]
        large[torch.meshgrid(*places, indexing="ij")] = small.to(dtype)
        return large


def _head_places(small: int, large: int) -> Tensor:
    """Return the index in a large head of each value of a small one.

    Rotations turn value i with value i + half; pair i of `small` has the frequency of pair i · ratio of `large`.
    """
    left = torch.arange(small // 2) * (large // small)
    return torch.cat((left, left + large // 2))
