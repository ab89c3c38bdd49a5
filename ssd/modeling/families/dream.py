"""Dream (arXiv 2508.15487) and DiffuCoder: Qwen2.5's shape with full attention; the left neighbour predicts."""

from __future__ import annotations

from ssd.modeling.families.family import QWEN_SIZES, QWEN_WEIGHTS, Family

DREAM = Family(
    name="dream",
    model_type="Dream",
    sizes=QWEN_SIZES,
    key_value_heads="num_key_value_heads",
    weights=QWEN_WEIGHTS,
    fixed={
        "hidden_act": ("silu",),
        "rope_scaling": (None,),
        "tie_word_embeddings": (False,),
        "use_mrope": (False,),
        "use_sliding_window": (False,),
    },
    biases=True,
    logits_shift=1,
)
