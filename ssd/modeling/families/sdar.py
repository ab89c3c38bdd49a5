"""SDAR (arXiv 2510.06303) and TraDo (arXiv 2509.06949): Qwen3's shape with block-causal attention, no shift."""

from __future__ import annotations

from ssd.modeling.families.family import QWEN_SIZES, QWEN_WEIGHTS, Family

SDAR = Family(
    name="sdar",
    model_type="sdar",
    sizes=QWEN_SIZES,
    key_value_heads="num_key_value_heads",
    weights=QWEN_WEIGHTS,
    fixed={
        "attention_bias": (False,),
        "hidden_act": ("silu",),
        "rope_scaling": (None,),
        "use_sliding_window": (False,),
    },
    query_key_norm=True,
    head_size_key="head_dim",
    may_tie_head=True,
    block_key="block_size",
    block_length=4,
    mask_id=151669,
    end_ids=(151643, 151645),
)
