"""Names of weights: the Hub's for LLaDA and Dream, and ours."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ssd.modeling.attention import widest
from ssd.modeling.config import Family, ModelConfig

# our name → the Hub's; `{}` is the layer's index
_OUTER: dict[Family, dict[str, str]] = {
    "llada": {
        "embedding.weight": "model.transformer.wte.weight",
        "norm.weight": "model.transformer.ln_f.weight",
        "head.weight": "model.transformer.ff_out.weight",
    },
    "dream": {
        "embedding.weight": "model.embed_tokens.weight",
        "norm.weight": "model.norm.weight",
        "head.weight": "lm_head.weight",
    },
}
_LAYER: dict[Family, tuple[str, dict[str, str]]] = {
    "llada": (
        "model.transformer.blocks.{}.",
        {
            "attention_norm": "attn_norm",
            "query": "q_proj",
            "key": "k_proj",
            "value": "v_proj",
            "attention_out": "attn_out",
            "mlp_norm": "ff_norm",
            "gate": "ff_proj",
            "up": "up_proj",
            "down": "ff_out",
        },
    ),
    "dream": (
        "model.layers.{}.",
        {
            "attention_norm": "input_layernorm",
            "query": "self_attn.q_proj",
            "key": "self_attn.k_proj",
            "value": "self_attn.v_proj",
            "attention_out": "self_attn.o_proj",
            "mlp_norm": "post_attention_layernorm",
            "gate": "mlp.gate_proj",
            "up": "mlp.up_proj",
            "down": "mlp.down_proj",
        },
    ),
}


def hub_names(config: ModelConfig) -> dict[str, str]:
    """Return our parameter name → the Hub's weight name, for every weight of a model with this config."""
    prefix, parts = _LAYER[config.family]
    names = dict(_OUTER[config.family])
    for index in range(config.layers):
        for ours, theirs in parts.items():
            names[f"layers.{index}.{ours}.weight"] = f"{prefix.format(index)}{theirs}.weight"
            if config.query_key_value_bias and ours in ("query", "key", "value"):
                names[f"layers.{index}.{ours}.bias"] = f"{prefix.format(index)}{theirs}.bias"
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
