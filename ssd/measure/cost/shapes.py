"""Models in the shape of published ones with random weights: what a forward costs does not depend on the weights."""

from __future__ import annotations

import torch
from torch import nn

from ssd.modeling.checkpoint import make_current
from ssd.modeling.config import ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.published import PUBLISHED
from ssd.modeling.transformer import Transformer


def shape_with(mask_id: int) -> ModelConfig:
    """The published shape whose mask has this id. Raises ValueError unless there is exactly one."""
    shapes = [shape for shape in PUBLISHED.values() if shape.mask_id == mask_id]
    if len(shapes) != 1:
        found = f"{len(shapes)} shapes" if shapes else "no shape"
        raise ValueError(
            f"{found} with mask id {mask_id}; name a folder that holds the model's config.json with --path"
        )
    return shapes[0]


def random_weights(config: ModelConfig, device: torch.device, dtype: torch.dtype, seed: int = 0) -> DiffusionModel:
    """A model whose weights are drawn on the device itself: logits of about unit variance, norms 1, biases 0."""
    make_current(device)
    with torch.device("meta"):
        transformer = Transformer(config).to(dtype)
    transformer.to_empty(device=device)
    generator = torch.Generator(device).manual_seed(seed)
    for name, weight in transformer.named_parameters():
        if weight.dim() == 1:
            nn.init.constant_(weight, 0.0 if name.endswith("bias") else 1.0)
        else:
            spread = 1.0 if name == "embedding.weight" else weight.shape[1] ** -0.5
            nn.init.normal_(weight, std=spread, generator=generator)
    return MaskedDiffusionModel(transformer)
