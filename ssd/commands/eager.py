"""Stepwise decoding as it is usually written: eager, with Hugging Face's classes, for bench_engine.py.

It decodes as Fast-dLLM's generate_with_dual_cache (arXiv 2505.22618). Tensors of full length hold keys and values of
the whole canvas; the keys are not rotated yet. Every forward writes the block's entries, and rotates all keys. It
computes logits at all positions that it sees, a float64 softmax over all of them, and topk.
One thing differs from Fast-dLLM: the mask is never predicted, so that responses can be compared. It shares no code
with our decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AttentionInterface, Cache, LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaAttention, rotate_half

from ssd.modeling.config import ModelConfig

LLAMA_NAMES = {
    "model.transformer.wte.": "model.embed_tokens.",
    "model.transformer.ln_f.": "model.norm.",
    "model.transformer.ff_out.": "lm_head.",
    "model.transformer.blocks.": "model.layers.",
    ".attn_norm.": ".input_layernorm.",
    ".q_proj.": ".self_attn.q_proj.",
    ".k_proj.": ".self_attn.k_proj.",
    ".v_proj.": ".self_attn.v_proj.",
    ".attn_out.": ".self_attn.o_proj.",
    ".ff_norm.": ".post_attention_layernorm.",
    ".ff_proj.": ".mlp.gate_proj.",
    ".up_proj.": ".mlp.up_proj.",
    ".ff_out.": ".mlp.down_proj.",
}
"""Parts of LLaDA's weight names and those of Llama, replaced in this order."""


def see_everything(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Return attention without a mask, in the form that transformers asks for: [batch, heads, length, head_size]."""
    mixed = F.scaled_dot_product_attention(query, key, value, scale=options.get("scaling"))
    return mixed.transpose(1, 2).contiguous(), None


AttentionInterface.register("see_everything", see_everything)


class Attention(LlamaAttention):
    """Llama's attention with a cache of keys that are not rotated yet."""

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: DualCache | None = None,
        **_: Any,
    ) -> tuple[Tensor, None]:
        split = (*hidden_states.shape[:-1], -1, self.head_dim)
        query, key, value = (
            project(hidden_states).view(split).transpose(1, 2) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        of_keys = position_embeddings
        if past_key_values is not None:
            key, value, of_keys = past_key_values.replace(key, value, position_embeddings, self.layer_idx)
        query, key = (
            states * cosine[:, None] + rotate_half(states) * sine[:, None]
            for states, (cosine, sine) in ((query, position_embeddings), (key, of_keys))
        )
        mixed = see_everything(self, query, key, value, attention_mask, scaling=self.scaling)[0]
        return self.o_proj(mixed.reshape(*hidden_states.shape[:-1], -1)), None


def load_llama(folder: Path, config: ModelConfig, device: torch.device, dtype: torch.dtype) -> LlamaForCausalLM:
    """Return transformers' Llama with the weights of a LLaDA checkpoint. Raises ValueError for another family."""
    if config.family != "llada" or config.heads != config.key_value_heads:
        raise ValueError(f"{folder}: the eager competitor knows LLaDA alone; pass --model llada_tiny or another LLaDA")
    llama_config = LlamaConfig(
        vocab_size=config.vocabulary_size,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.key_value_heads,
        intermediate_size=config.mlp_size,
        rms_norm_eps=config.norm_epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        max_position_embeddings=config.context_length,
        tie_word_embeddings=False,
    )
    llama = LlamaForCausalLM(llama_config)
    llama.set_attn_implementation("see_everything")
    weights: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name, weight in load_file(file).items():
            for theirs, llamas in LLAMA_NAMES.items():
                name = name.replace(theirs, llamas)
            weights[name] = weight
    for index, layer in enumerate(llama.model.layers):
        layer.self_attn = Attention(llama.config, index)
    llama.load_state_dict(weights, strict=True)
    nn.Module.to(llama, device, dtype)
    return llama.eval().requires_grad_(False)


class DualCache(Cache):
    """Keys (not rotated) and values of a canvas. After the first forward, later ones replace those of [start, stop)."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__(layers=[])
        self.start, self.stop = start, stop
        self.pairs: list[tuple[Tensor, Tensor]] = []
        self.position_embeddings: tuple[Tensor, Tensor]

    def replace(
        self, key: Tensor, value: Tensor, position_embeddings: tuple[Tensor, Tensor], layer: int
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Store the keys and values of a forward; return those of the whole canvas: [1, heads, length, head_size]."""
        if layer == len(self.pairs):
            self.pairs.append((key, value))
            self.position_embeddings = position_embeddings
        else:
            for full, states in zip(self.pairs[layer], (key, value), strict=True):
                full[:, :, self.start : self.stop] = states
        return *self.pairs[layer], self.position_embeddings


@torch.inference_mode()
def decode(
    llama: LlamaForCausalLM, prompt_ids: Sequence[int], gen_length: int, block_length: int, mask_id: int
) -> list[int]:
    """Return the response, decoded one token per forward."""
    canvas = torch.full((1, len(prompt_ids) + gen_length), mask_id, device=llama.device)
    canvas[0, : len(prompt_ids)] = torch.tensor(prompt_ids)
    positions = torch.arange(canvas.shape[1], device=llama.device)[None]
    for start in range(len(prompt_ids), canvas.shape[1], block_length):
        stop = start + block_length
        cache = DualCache(start, stop)
        logits = llama(canvas, position_ids=positions, past_key_values=cache, use_cache=True).logits
        canvas = transfer(canvas, logits, start, stop, mask_id)
        while (canvas[:, start:stop] == mask_id).any():
            window = canvas[:, start:stop]
            logits = llama(window, position_ids=positions[:, start:stop], past_key_values=cache, use_cache=True).logits
            canvas[:, start:stop] = transfer(window, logits, 0, block_length, mask_id)
    return canvas[0, len(prompt_ids) :].tolist()


def transfer(tokens: Tensor, logits: Tensor, start: int, stop: int, mask_id: int) -> Tensor:
    """Return tokens [1, length] with one mask of [start, stop) filled by the most confident prediction."""
    logits[..., mask_id] = -torch.inf
    predicted = logits.argmax(dim=-1)
    probabilities = F.softmax(logits.to(torch.float64), dim=-1)
    confidence = probabilities.gather(-1, predicted[..., None])[..., 0]
    masked = tokens == mask_id
    masked[:, :start], masked[:, stop:] = False, False
    confidence = torch.where(masked, confidence, -torch.inf)
    _, chosen = torch.topk(confidence[0], k=1)
    transferred = torch.zeros_like(masked)
    transferred[0, chosen] = True
    return torch.where(transferred, predicted, tokens)
