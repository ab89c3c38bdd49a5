"""Models in the shape of published ones with random weights: what a forward costs does not depend on the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ssd.modeling.checkpoint import make_current
from ssd.modeling.config import ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.transformer import Transformer

_QWEN3: dict[str, Any] = {
    "family": "sdar",
    "vocabulary_size": 151936,
    "key_value_heads": 8,
    "rope_theta": 1e6,
    "norm_epsilon": 1e-6,
    "context_length": 32768,
    "mask_id": 151669,
    "end_id": 151643,
    "causal_block": 4,
}
_QWEN2: dict[str, Any] = {
    "family": "fast_dllm_v2",
    "layers": 28,
    "rope_theta": 1e6,
    "norm_epsilon": 1e-6,
    "context_length": 32768,
    "mask_id": 151665,
    "end_id": 151645,
    "causal_block": 32,
}
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
    "sdar_1_7b": ModelConfig(hidden_size=2048, layers=28, heads=16, mlp_size=6144, **_QWEN3),
    "sdar_4b": ModelConfig(hidden_size=2560, layers=36, heads=32, mlp_size=9728, own_head_size=128, **_QWEN3),
    "sdar_8b": ModelConfig(hidden_size=4096, layers=36, heads=32, mlp_size=12288, **_QWEN3),
    "fast_dllm_v2_1_5b": ModelConfig(
        hidden_size=1536,
        heads=12,
        key_value_heads=2,
        mlp_size=8960,
        vocabulary_size=151936,
        tied_head=True,
        **_QWEN2,
    ),
    "fast_dllm_v2_7b": ModelConfig(
        hidden_size=3584,
        heads=28,
        key_value_heads=4,
        mlp_size=18944,
        vocabulary_size=152064,
        **_QWEN2,
    ),
}
"""As in config.json of GSAI-ML/LLaDA-8B-Instruct, Dream-org/Dream-v0-Instruct-7B, and of the Qwen3 and Qwen2.5 models
whose shape SDAR and Fast-dLLM v2 have."""


def shape_with(mask_id: int) -> ModelConfig:
    """The published shape whose mask has this id. Raises ValueError unless there is exactly one."""
    shapes = [shape for shape in SHAPES.values() if shape.mask_id == mask_id]
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
