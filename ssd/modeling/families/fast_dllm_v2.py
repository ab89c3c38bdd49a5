"""Fast-dLLM v2 (arXiv 2509.26328): Qwen2.5's shape with block-causal attention; the left neighbour predicts."""

from __future__ import annotations

from ssd.modeling.families.family import QWEN_SIZES, QWEN_WEIGHTS, Family

FAST_DLLM_V2 = Family(
    name="fast_dllm_v2",
    model_type="Fast_dLLM_Qwen",
    sizes=QWEN_SIZES,
    key_value_heads="num_key_value_heads",
    weights=QWEN_WEIGHTS,
    fixed={
        "hidden_act": ("silu",),
        "rope_scaling": (None,),
        "use_sliding_window": (False,),
    },
    biases=True,
    logits_shift=1,
    may_tie_head=True,
    block_key="bd_size",
    block_length=32,
    mask_id=151665,
    end_ids=(151645, 151643),
)
