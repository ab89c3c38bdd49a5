"""The shape of a masked diffusion language model, read from a config.json in the Hub's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ssd.modeling.json_values import JsonValues

Family = Literal["llada", "dream"]
MODEL_TYPES: dict[str, Family] = {"llada": "llada", "Dream": "dream"}
"""`model_type` of config.json, by which a checkpoint's family is known."""

# The published checkpoints were trained with these values. The transformer supports no others.
_FIXED_VALUES: dict[Family, dict[str, tuple[object, ...]]] = {
    "llada": {
        "activation_type": ("silu",),
        "alibi": (False,),
        "attention_layer_norm": (False,),
        "block_type": ("llama",),
        "include_bias": (False,),
        "include_qkv_bias": (False, None),
        "input_emb_norm": (False,),
        "layer_norm_type": ("rms",),
        "multi_query_attention": (None, False),
        "rope": (True,),
        "rope_full_precision": (True,),
        "scale_logits": (False,),
        "weight_tying": (False,),
    },
    "dream": {
        "hidden_act": ("silu",),
        "rope_scaling": (None,),
        "tie_word_embeddings": (False,),
        "use_mrope": (False,),
        "use_sliding_window": (False,),
    },
}


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and constants of a transformer, and its special token ids: `end_id` fills, `end_ids` are all that end."""

    family: Family
    vocabulary_size: int
    hidden_size: int
    layers: int
    heads: int
    key_value_heads: int
    mlp_size: int
    rope_theta: float
    norm_epsilon: float
    context_length: int
    mask_id: int
    end_id: int
    more_end_ids: tuple[int, ...] = ()

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.heads

    @property
    def query_key_value_bias(self) -> bool:
        return self.family == "dream"

    @property
    def logits_shift(self) -> int:
        """Number of positions between a prediction and the output on its left that makes it (Dream: 1)."""
        return 1 if self.family == "dream" else 0

    @property
    def rope_full_precision(self) -> bool:
        """Whether rotations use float32 or wider (LLaDA). Dream rotates in the activations' dtype."""
        return self.family == "llada"

    @property
    def end_ids(self) -> tuple[int, ...]:
        return (self.end_id, *self.more_end_ids)

    @classmethod
    def from_hub(cls, hub: Mapping[str, Any], where: str = "config.json") -> ModelConfig:
        """Return the config of the Hub's keys. Raises ValueError naming a missing, a wrong or an unsupported key."""
        family = next((family for name, family in MODEL_TYPES.items() if hub.get("model_type") == name), None)
        if family is None:
            names = " or ".join(map(repr, MODEL_TYPES))
            raise ValueError(f"{where}: model_type is {hub.get('model_type')!r}, expected {names}")
        values, keys = JsonValues(hub, where), _SIZE_KEYS[family]
        for key, allowed in _FIXED_VALUES[family].items():
            values.one_of(key, allowed, family)
        sizes = {name: values.whole(key) for name, key in keys.items()}
        vocabulary_size = sizes["vocabulary_size"]
        end_id, *more_end_ids = values.ids("eos_token_id", vocabulary_size - 1)
        config = cls(
            family=family,
            **sizes,
            key_value_heads=values.whole(_KEY_VALUE_HEADS[family], default=sizes["heads"]),
            rope_theta=_rope_theta(values, family),
            norm_epsilon=values.number("rms_norm_eps"),
            mask_id=values.whole("mask_token_id", 0, vocabulary_size - 1),
            end_id=end_id,
            more_end_ids=tuple(more_end_ids),
        )
        if config.hidden_size % config.heads or config.heads % config.key_value_heads:
            raise ValueError(
                f"{where}: hidden size {config.hidden_size}, {config.heads} heads and "
                f"{config.key_value_heads} key/value heads do not divide one another"
            )
        if config.head_size % 2:
            raise ValueError(
                f"{where}: hidden size {config.hidden_size} and {config.heads} heads make a head size of "
                f"{config.head_size}, expected an even one, because rotations turn pairs of values"
            )
        return config


_SIZE_KEYS: dict[Family, dict[str, str]] = {
    "llada": {
        "vocabulary_size": "embedding_size",
        "hidden_size": "d_model",
        "layers": "n_layers",
        "heads": "n_heads",
        "mlp_size": "mlp_hidden_size",
        "context_length": "max_sequence_length",
    },
    "dream": {
        "vocabulary_size": "vocab_size",
        "hidden_size": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "mlp_size": "intermediate_size",
        "context_length": "max_position_embeddings",
    },
}
_KEY_VALUE_HEADS: dict[Family, str] = {"llada": "n_kv_heads", "dream": "num_key_value_heads"}


def _rope_theta(values: JsonValues, family: Family) -> float:
    """Return the base of the rotations. transformers 5 writes it into `rope_parameters`, earlier versions beside it."""
    inner = values.inner("rope_parameters")
    if inner is None:
        return values.number("rope_theta")
    inner.one_of("rope_type", ("default",), family)
    inner.one_of("partial_rotary_factor", (1, None), family)
    return (inner if "rope_theta" in inner.values else values).number("rope_theta")
