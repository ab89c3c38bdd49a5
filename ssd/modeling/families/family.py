"""What distinguishes one model family from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WeightNames:
    """The Hub's names of weights, by ours. `layer` precedes the parts of one layer; `{}` in it is the layer's index."""

    outer: Mapping[str, str]
    layer: str
    parts: Mapping[str, str]


@dataclass(frozen=True)
class Family:
    """A family of checkpoints with one `model_type`.

    sizes: our field → the key of config.json; fixed: key → the supported values, which the published checkpoints have;
    biases: of queries, keys and values; logits_shift: number of positions between a prediction and the output on its
    left that makes it; rope_full_precision: whether rotations use float32 or wider instead of the activations' dtype;
    query_key_norm: whether each head's queries and keys are normed before the rotation; head_size_key: the key of an
    explicit head size; may_tie_head: whether the head may be the embedding; block_key, block_length: the key of the
    length of block-causal attention's blocks, and the length without that key (None: full attention);
    mask_id, end_ids: those of the published checkpoints, for files that do not name them.
    """

    name: str
    model_type: str
    sizes: Mapping[str, str]
    key_value_heads: str
    weights: WeightNames
    fixed: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    biases: bool = False
    logits_shift: int = 0
    rope_full_precision: bool = False
    query_key_norm: bool = False
    head_size_key: str | None = None
    may_tie_head: bool = False
    block_key: str | None = None
    block_length: int | None = None
    mask_id: int | None = None
    end_ids: tuple[int, ...] | None = None


QWEN_SIZES = {
    "vocabulary_size": "vocab_size",
    "hidden_size": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp_size": "intermediate_size",
    "context_length": "max_position_embeddings",
}
"""The keys of Qwen2 and Qwen3, whose shape three families have."""

QWEN_WEIGHTS = WeightNames(
    outer={
        "embedding.weight": "model.embed_tokens.weight",
        "norm.weight": "model.norm.weight",
        "head.weight": "lm_head.weight",
    },
    layer="model.layers.{}.",
    parts={
        "attention_norm": "input_layernorm",
        "query": "self_attn.q_proj",
        "key": "self_attn.k_proj",
        "value": "self_attn.v_proj",
        "query_norm": "self_attn.q_norm",
        "key_norm": "self_attn.k_norm",
        "attention_out": "self_attn.o_proj",
        "mlp_norm": "post_attention_layernorm",
        "gate": "mlp.gate_proj",
        "up": "mlp.up_proj",
        "down": "mlp.down_proj",
    },
)
