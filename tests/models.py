"""Tiny models with random weights, and checkpoints of them in the Hub's layout."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ssd.modeling.config import Family, ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.transformer import Transformer
from ssd.modeling.weights import to_hub_names

FAMILIES: tuple[Family, ...] = ("llada", "dream")
BLOCK_CAUSAL: tuple[Family, ...] = ("sdar", "fast_dllm_v2")
_QWEN_SHAPE = {"key_value_heads": 2, "rope_theta": 1e6, "norm_epsilon": 1e-6}
_OWN_SHAPE: dict[Family, dict[str, Any]] = {
    "llada": {"key_value_heads": 4, "rope_theta": 5e5, "norm_epsilon": 1e-5},
    "dream": _QWEN_SHAPE,
    "sdar": _QWEN_SHAPE | {"own_head_size": 12, "causal_block": 4},
    "fast_dllm_v2": _QWEN_SHAPE | {"causal_block": 8},
}


def tiny_config(family: Family, **changes: Any) -> ModelConfig:
    """A shape that runs in milliseconds: mask id 63, end id 62; `changes` replace fields of ModelConfig."""
    shape = {
        "vocabulary_size": 64,
        "hidden_size": 32,
        "layers": 2,
        "heads": 4,
        "mlp_size": 64,
        "context_length": 128,
        "mask_id": 63,
        "end_id": 62,
    }
    return ModelConfig(family=family, **(shape | _OWN_SHAPE[family] | changes))


def random_transformer(
    family: Family, seed: int = 0, dtype: torch.dtype = torch.float64, sharpness: float = 1.0, **changes: Any
) -> Transformer:
    """A tiny transformer whose weights depend on the seed alone: logits of about unit variance times `sharpness`."""
    transformer = Transformer(tiny_config(family, **changes)).to(torch.float64)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in transformer.named_parameters():
            noise = torch.randn(weight.shape, generator=generator, dtype=torch.float64)
            if "norm" in name:
                weight.copy_(1 + 0.1 * noise)
            elif name == "embedding.weight":
                weight.copy_(noise)
            else:
                weight.copy_(noise * weight.shape[-1] ** -0.5)
        transformer.head.weight.mul_(sharpness)
    return transformer.to(dtype)


def random_model(
    family: Family, seed: int = 0, dtype: torch.dtype = torch.float64, sharpness: float = 1.0, **changes: Any
) -> MaskedDiffusionModel:
    """`random_transformer` as decoders see it."""
    return MaskedDiffusionModel(random_transformer(family, seed, dtype, sharpness, **changes))


def hub_config(config: ModelConfig) -> dict[str, Any]:
    """config.json of a model of this shape, under the Hub's key names."""
    if config.family == "llada":
        return {
            "model_type": "llada",
            "embedding_size": config.vocabulary_size,
            "d_model": config.hidden_size,
            "n_layers": config.layers,
            "n_heads": config.heads,
            "n_kv_heads": config.key_value_heads,
            "mlp_hidden_size": config.mlp_size,
            "rope_theta": config.rope_theta,
            "rms_norm_eps": config.norm_epsilon,
            "max_sequence_length": config.context_length,
            "mask_token_id": config.mask_id,
            "eos_token_id": config.end_id,
        }
    traits = config.traits
    hub = {
        "model_type": traits.model_type,
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "intermediate_size": config.mlp_size,
        "rope_theta": config.rope_theta,
        "rms_norm_eps": config.norm_epsilon,
        "max_position_embeddings": config.context_length,
        "mask_token_id": config.mask_id,
        "eos_token_id": config.end_id if len(config.end_ids) == 1 else list(config.end_ids),
    }
    if config.family in BLOCK_CAUSAL:
        hub |= {"tie_word_embeddings": config.tied_head, traits.block_key: config.causal_block}
    if traits.head_size_key:
        hub[traits.head_size_key] = config.head_size
    return hub


def hub_weights(transformer: Transformer) -> dict[str, Tensor]:
    """The weights under the Hub's names."""
    return to_hub_names(transformer.state_dict(), transformer.config)


def write_checkpoint(folder: Path, transformer: Transformer, shards: int = 1) -> Path:
    """Write config.json and safetensors as on the Hub: one file, or `shards` of them with an index."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(hub_config(transformer.config)))
    weights = hub_weights(transformer)
    if shards == 1:
        save_file(weights, folder / "model.safetensors")
        return folder
    index = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        keys = list(weights)[shard::shards]
        save_file({key: weights[key] for key in keys}, folder / name)
        index |= dict.fromkeys(keys, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    return folder
