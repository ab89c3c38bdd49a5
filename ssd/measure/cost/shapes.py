"""Models in the shape of published ones with random weights: what a forward costs does not depend on the weights."""

from __future__ import annotations

import torch
from torch import nn

from ssd.modeling.checkpoint import make_current
from ssd.modeling.config import ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.transformer import Transformer

SHAPES = {
    "llada": ModelConfig(
        family="llada",
        vocabulary_size=126464,
        hidden_size=4096,
        layers=32,
        heads=32,
        key_value_heads=32,
        mlp_size=12288,
        rope_theta=5e5,
        norm_epsilon=1e-5,
        context_length=4096,
        mask_id=126336,
        end_id=126081,
    ),
    "dream": ModelConfig(
        family="dream",
        vocabulary_size=152064,
        hidden_size=3584,
        layers=28,
        heads=28,
        key_value_heads=4,
        mlp_size=18944,
        rope_theta=1e6,
        norm_epsilon=1e-6,
        context_length=131072,
        mask_id=151666,
        end_id=151643,
    ),
}
"""As in config.json of GSAI-ML/LLaDA-8B-Instruct and Dream-org/Dream-v0-Instruct-7B."""


def shape_with(mask_id: int) -> ModelConfig:
    """The published shape whose mask has this id. Raises ValueError if there is none."""
    for shape in SHAPES.values():
        if shape.mask_id == mask_id:
            return shape
    raise ValueError(f"no shape with mask id {mask_id} is known; name a folder that holds its config.json with --path")


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
