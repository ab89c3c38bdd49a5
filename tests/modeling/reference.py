"""transformers' own Llama, Qwen2 and Qwen3 with the weights of a model of ours, run without the causal mask."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from ssd.modeling.config import ModelConfig
from ssd.modeling.transformer import Transformer
from tests.models import hub_weights

# LLaDA's weight names to Llama's, written down apart from ssd.modeling.weights; the others are Qwen's already.
LLAMA_NAMES = {
    "model.transformer.wte": "model.embed_tokens",
    "model.transformer.ln_f": "model.norm",
    "model.transformer.ff_out": "lm_head",
}
LLAMA_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "attn_out": "self_attn.o_proj",
    "ff_norm": "post_attention_layernorm",
    "ff_proj": "mlp.gate_proj",
    "up_proj": "mlp.up_proj",
    "ff_out": "mlp.down_proj",
}


def llama_name(name: str) -> str:
    """Llama's name of a LLaDA weight."""
    stem, leaf = name.rsplit(".", 1)
    if stem in LLAMA_NAMES:
        return f"{LLAMA_NAMES[stem]}.{leaf}"
    *_, index, part = stem.split(".")
    return f"model.layers.{index}.{LLAMA_LAYER_NAMES[part]}.{leaf}"


def reference_model(folder: Path, config: ModelConfig, dtype: torch.dtype) -> PreTrainedModel:
    """The autoregressive class of the same architecture, holding the folder's weights."""
    weights = {name: weight for file in folder.glob("*.safetensors") for name, weight in load_file(file).items()}
    return _holding(weights, config, dtype)


@lru_cache(maxsize=16)
def reference_of(transformer: Transformer) -> PreTrainedModel:
    """The same without files, in float64 throughout; the weights are those of the transformer's first use here."""
    model = _holding(hub_weights(transformer), transformer.config, torch.float64)
    widen_norms(model, transformer.config)
    return model


def _holding(weights: Mapping[str, Tensor], config: ModelConfig, dtype: torch.dtype) -> PreTrainedModel:
    shape = {
        "vocab_size": config.vocabulary_size,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "intermediate_size": config.mlp_size,
        "rms_norm_eps": config.norm_epsilon,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "max_position_embeddings": config.context_length,
        "tie_word_embeddings": config.tied_head,
        "attn_implementation": "sdpa",
    }
    if config.tied_head:
        weights = {**weights, "lm_head.weight": weights["model.embed_tokens.weight"]}
    if config.family == "llada":
        model = LlamaForCausalLM(LlamaConfig(**shape))
        weights = {llama_name(name): weight for name, weight in weights.items()}
    elif config.family == "sdar":
        model = Qwen3ForCausalLM(Qwen3Config(**shape, head_dim=config.head_size, attention_bias=False))
    else:
        model = Qwen2ForCausalLM(Qwen2Config(**shape))
    model = model.to(dtype).eval().requires_grad_(False)
    model.load_state_dict(weights, strict=True)
    return model


def widen_norms(model: PreTrainedModel, config: ModelConfig) -> None:
    """Put float64 norms in the place of transformers', which round to float32 whatever the model's dtype."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__.endswith("RMSNorm"):
                norm = nn.RMSNorm(len(child.weight), eps=config.norm_epsilon, dtype=torch.float64)
                norm.weight = child.weight
                setattr(parent, name, norm)


def run_bidirectional(
    model: PreTrainedModel, tokens: Tensor, positions: Tensor | None = None, cache: DynamicCache | None = None
) -> Tensor:
    """Outputs [1, length, vocabulary] where each token sees all others, and the cache's keys if there is one.

    A mask of zeros is added to the scores, so that none is the causal one. A cache is filled, as transformers does.
    """
    seen = tokens.shape[1] + (cache.get_seq_length() if cache is not None else 0)
    everything = torch.zeros(1, 1, tokens.shape[1], seen, dtype=model.dtype)
    return model(
        tokens,
        attention_mask=everything,
        position_ids=None if positions is None else positions[None],
        past_key_values=cache,
        use_cache=cache is not None,
    ).logits


def run_block_causal(model: PreTrainedModel, tokens: Tensor, block: int) -> Tensor:
    """Outputs [batch, length, vocabulary] where a token sees its own block and all blocks before it.

    Blocks lie on a grid from position 0. The mask is written down position by position; there is no cache.
    """
    length = tokens.shape[1]
    hidden = torch.tensor([[column // block > row // block for column in range(length)] for row in range(length)])
    mask = torch.zeros(length, length, dtype=model.dtype).masked_fill(hidden, torch.finfo(model.dtype).min)
    return model(tokens, attention_mask=mask[None, None].expand(len(tokens), 1, -1, -1), use_cache=False).logits


def aligned(outputs: Tensor, config: ModelConfig) -> Tensor:
    """Outputs moved to the position they predict: with a shift they stand one to its left, position 0 keeps its own."""
    if config.logits_shift == 0:
        return outputs
    return torch.cat((outputs[:, :1], outputs[:, :-1]), dim=1)


def cache_outside(model: PreTrainedModel, tokens: Tensor, start: int, stop: int) -> DynamicCache:
    """Keys and values of a whole canvas' positions outside [start, stop)."""
    whole = DynamicCache()
    run_bidirectional(model, tokens, cache=whole)
    outside = DynamicCache()
    for index, layer in enumerate(whole.layers):
        pair = (torch.cat((states[:, :, :start], states[:, :, stop:]), dim=2) for states in (layer.keys, layer.values))
        outside.update(*pair, index)
    return outside
