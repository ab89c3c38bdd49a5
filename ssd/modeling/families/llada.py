"""LLaDA (arXiv 2502.09992): Llama's shape with full attention; a position predicts itself."""

from __future__ import annotations

from ssd.modeling.families.family import Family, WeightNames

LLADA = Family(
    name="llada",
    model_type="llada",
    sizes={
        "vocabulary_size": "embedding_size",
        "hidden_size": "d_model",
        "layers": "n_layers",
        "heads": "n_heads",
        "mlp_size": "mlp_hidden_size",
        "context_length": "max_sequence_length",
    },
    key_value_heads="n_kv_heads",
    weights=WeightNames(
        outer={
            "embedding.weight": "model.transformer.wte.weight",
            "norm.weight": "model.transformer.ln_f.weight",
            "head.weight": "model.transformer.ff_out.weight",
        },
        layer="model.transformer.blocks.{}.",
        parts={
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
    fixed={
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
    rope_full_precision=True,
)
