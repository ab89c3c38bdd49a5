"""The shape of a masked diffusion language model, read from a config.json in the Hub's format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ssd.modeling.families import FAMILIES, family_of
from ssd.modeling.families.family import Family as Traits
from ssd.modeling.json_values import JsonValues

Family = str
"""The name of a family, a key of `FAMILIES`."""


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and constants of a transformer, and its special token ids: `end_id` fills, `end_ids` are all that end.

    own_head_size: a head size other than hidden_size / heads; tied_head: whether the head is the embedding;
    causal_block: length of the blocks of block-causal attention, on a grid from position 0; None: full attention.
    """

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
    own_head_size: int | None = None
    tied_head: bool = False
    causal_block: int | None = None

    @property
    def traits(self) -> Traits:
        return FAMILIES[self.family]

    @property
    def head_size(self) -> int:
        return self.own_head_size or self.hidden_size // self.heads

    @property
    def query_key_value_bias(self) -> bool:
        return self.traits.biases

    @property
    def query_key_norm(self) -> bool:
        """Whether each head's queries and keys are normed before the rotation."""
        return self.traits.query_key_norm

    @property
    def logits_shift(self) -> int:
        """Number of positions between a prediction and the output on its left that makes it (Dream: 1)."""
        return self.traits.logits_shift

    @property
    def rope_full_precision(self) -> bool:
        """Whether rotations use float32 or wider (LLaDA). The others rotate in the activations' dtype."""
        return self.traits.rope_full_precision

    @property
    def end_ids(self) -> tuple[int, ...]:
        return (self.end_id, *self.more_end_ids)

    @classmethod
    def from_hub(
        cls,
        hub: Mapping[str, Any],
        where: str = "config.json",
        mask_id: int | None = None,
        end_ids: tuple[int, ...] | None = None,
        block_length: int | None = None,
    ) -> ModelConfig:
        """Return the config of the Hub's keys. Raises ValueError naming a missing, a wrong or an unsupported key.

        mask_id, end_ids: those of the checkpoint's other files, for a config.json without them; block_length: of
        block-causal attention, for a config.json without it.
        """
        family, values = family_of(hub.get("model_type"), where), JsonValues(hub, where)
        for key, allowed in family.fixed.items():
            values.one_of(key, allowed, family.name)
        sizes = {name: values.whole(key) for name, key in family.sizes.items()}
        last_id = sizes["vocabulary_size"] - 1
        end_id, *more_end_ids = values.ids("eos_token_id", last_id, end_ids or family.end_ids)
        config = cls(
            family=family.name,
            **sizes,
            key_value_heads=values.whole(family.key_value_heads, default=sizes["heads"]),
            rope_theta=_rope_theta(values, family),
            norm_epsilon=values.number("rms_norm_eps"),
            mask_id=values.whole("mask_token_id", 0, last_id, family.mask_id if mask_id is None else mask_id),
            end_id=end_id,
            more_end_ids=tuple(more_end_ids),
            own_head_size=_own_head_size(values, family, sizes),
            tied_head=family.may_tie_head and values.values.get("tie_word_embeddings") is True,
            causal_block=values.whole(family.block_key, default=block_length or family.block_length)
            if family.block_key
            else None,
        )
        _check_heads(config, where)
        return config


def _own_head_size(values: JsonValues, family: Traits, sizes: Mapping[str, int]) -> int | None:
    """Return an explicit head size that differs from hidden_size / heads."""
    key = family.head_size_key
    if key is None or values.values.get(key) is None:
        return None
    size = values.whole(key)
    return None if size * sizes["heads"] == sizes["hidden_size"] else size


def _check_heads(config: ModelConfig, where: str) -> None:
    whole = config.own_head_size is not None or not config.hidden_size % config.heads
    if not whole or config.heads % config.key_value_heads:
        raise ValueError(
            f"{where}: hidden size {config.hidden_size}, {config.heads} heads and "
            f"{config.key_value_heads} key/value heads do not divide one another"
        )
    if config.head_size % 2:
        raise ValueError(
            f"{where}: hidden size {config.hidden_size} and {config.heads} heads make a head size of "
            f"{config.head_size}, expected an even one, because rotations turn pairs of values"
        )


def _rope_theta(values: JsonValues, family: Traits) -> float:
    """Return the base of the rotations. transformers 5 writes it into `rope_parameters`, earlier versions beside it."""
    inner = values.inner("rope_parameters")
    if inner is None:
        return values.number("rope_theta")
    inner.one_of("rope_type", ("default",), family.name)
    inner.one_of("partial_rotary_factor", (1, None), family.name)
    return (inner if "rope_theta" in inner.values else values).number("rope_theta")
