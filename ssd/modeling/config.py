"""The shape of a masked diffusion language model, read from a config.json in the Hub's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

Family = Literal["llada", "dream"]

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
    """Sizes and constants of a transformer, and its special token ids."""

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
    causal_block: int | None = None
    """Length of the blocks of block-causal attention, on a grid from position 0; None: full attention."""

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

    @classmethod
    def from_hub(cls, hub: Mapping[str, Any], where: str = "config.json") -> ModelConfig:
        """Return the config of the Hub's keys. Raises ValueError naming a key that is missing or not supported."""
        family = {"llada": "llada", "Dream": "dream"}.get(hub.get("model_type", ""))
        if family is None:
            raise ValueError(f"{where}: model_type is {hub.get('model_type')!r}, expected 'llada' or 'Dream'")
        family = cast(Family, family)
        for key, allowed in _FIXED_VALUES[family].items():
            if key in hub and hub[key] not in allowed:
                raise ValueError(f"{where}: {key} is {hub[key]!r}, but only {allowed[0]!r} is supported for {family}")
        names = _LLADA_KEYS if family == "llada" else _DREAM_KEYS
        missing = [key for key in names.values() if hub.get(key) is None and key not in _MAY_BE_NULL]
        if missing:
            raise ValueError(f"{where}: missing key {', '.join(missing)}; take the file from the model's Hub page")
        values: dict[str, Any] = {name: hub.get(key) for name, key in names.items()}
        if values["key_value_heads"] is None:
            values["key_value_heads"] = values["heads"]
        config = cls(family=family, **values)
        if config.hidden_size % config.heads or config.heads % config.key_value_heads:
            raise ValueError(
                f"{where}: hidden size {config.hidden_size}, {config.heads} heads and "
                f"{config.key_value_heads} key/value heads do not divide one another"
            )
        return config


_LLADA_KEYS = {
    "vocabulary_size": "embedding_size",
    "hidden_size": "d_model",
    "layers": "n_layers",
    "heads": "n_heads",
    "key_value_heads": "n_kv_heads",
    "mlp_size": "mlp_hidden_size",
    "rope_theta": "rope_theta",
    "norm_epsilon": "rms_norm_eps",
    "context_length": "max_sequence_length",
    "mask_id": "mask_token_id",
    "end_id": "eos_token_id",
}
_DREAM_KEYS = {
    "vocabulary_size": "vocab_size",
    "hidden_size": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "key_value_heads": "num_key_value_heads",
    "mlp_size": "intermediate_size",
    "rope_theta": "rope_theta",
    "norm_epsilon": "rms_norm_eps",
    "context_length": "max_position_embeddings",
    "mask_id": "mask_token_id",
    "end_id": "eos_token_id",
}
_MAY_BE_NULL = {"n_kv_heads", "num_key_value_heads"}
