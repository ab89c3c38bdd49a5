"""Block-causal families: checkpoints of the Hub's layout compute what transformers' Qwen3 and Qwen2 compute."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ssd.modeling.checkpoint import load_model, read_config
from ssd.modeling.config import Family, ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import Window
from ssd.modeling.published import PUBLISHED
from ssd.modeling.transformer import Transformer
from ssd.modeling.weights import hub_names
from tests.modeling.reference import aligned, reference_model, run_block_causal, widen_norms
from tests.modeling.windows import random_canvas
from tests.models import BLOCK_CAUSAL, hub_config, random_transformer, tiny_config, write_checkpoint

TOLERANCE = 1e-9
SHAPES: dict[str, tuple[Family, dict[str, Any]]] = {
    "sdar, head size 12": ("sdar", {}),
    "sdar, head size 8": ("sdar", {"own_head_size": None}),
    "sdar, tied head, block 16": ("sdar", {"tied_head": True, "causal_block": 16}),
    "fast_dllm_v2": ("fast_dllm_v2", {}),
    "fast_dllm_v2, tied head, block 32": ("fast_dllm_v2", {"tied_head": True, "causal_block": 32}),
}


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_those_of_transformers_with_a_block_causal_mask(shape: str, shards: int, tmp_path: Path) -> None:
    family, changes = SHAPES[shape]
    folder = write_checkpoint(tmp_path, random_transformer(family, **changes), shards)
    ours = load_model(folder)
    assert ours.config == tiny_config(family, **changes)
    theirs = reference_model(folder, ours.config, torch.float64)
    widen_norms(theirs, ours.config)
    tokens = random_canvas(ours.config, length=70)
    outputs = run_block_causal(theirs, tokens[None], ours.config.causal_block)
    expected = aligned(outputs, ours.config)[0, ours.config.logits_shift :]
    assert expected.dtype == torch.float64
    assert (_logits_by_blocks(ours, tokens) - expected).abs().max() < TOLERANCE


@pytest.mark.parametrize("family", BLOCK_CAUSAL)
def test_another_mask_would_be_noticed(family: Family, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, random_transformer(family))
    ours = load_model(folder)
    theirs = reference_model(folder, ours.config, torch.float64)
    tokens = random_canvas(ours.config)
    for block in (1, 2, 100):
        other = aligned(run_block_causal(theirs, tokens[None], block), ours.config)[0, ours.config.logits_shift :]
        assert (_logits_by_blocks(ours, tokens) - other).abs().max() > 1e-2


@pytest.mark.parametrize("shape", SHAPES)
def test_stored_blocks_and_the_block_behind_them_give_the_same_logits(shape: str, tmp_path: Path) -> None:
    """The first blocks stored in one forward, the others one by one, each beside two states of the next block."""
    family, changes = SHAPES[shape]
    folder = write_checkpoint(tmp_path, random_transformer(family, **changes))
    ours = load_model(folder)
    theirs = reference_model(folder, ours.config, torch.float64)
    widen_norms(theirs, ours.config)
    block = ours.config.causal_block
    blocks = 4 if block > 8 else 6
    canvas, cache = random_canvas(ours.config, length=blocks * block), ours.new_growing_cache(blocks * block)
    for start in range(2 * block, blocks * block, block):
        states = torch.stack([random_canvas(ours.config, seed, block) for seed in (start, start + 1)])
        whole = torch.stack([torch.cat((canvas[:start], state)) for state in states])
        expected = aligned(run_block_causal(theirs, whole, block), ours.config)[:, start:]
        window = Window(start, start + block, start, start + block, start + block)
        logits = ours.append(canvas[cache.size : start], cache, states, window)
        assert (logits - expected).abs().max() < TOLERANCE


def test_rope_parameters_of_transformers_5_are_read(tmp_path: Path) -> None:
    for family in BLOCK_CAUSAL:
        hub = hub_config(tiny_config(family))
        theta = hub.pop("rope_theta")
        hub["rope_parameters"] = {"rope_type": "default", "rope_theta": theta}
        assert ModelConfig.from_hub(hub) == tiny_config(family)
        hub["rope_parameters"] = {"rope_type": "yarn", "rope_theta": theta, "factor": 4.0}
        with pytest.raises(ValueError, match=r"^config\.json: rope_parameters: rope_type is 'yarn', but only"):
            ModelConfig.from_hub(hub)


def test_a_head_size_is_own_only_if_the_file_has_one() -> None:
    """Without `head_dim` the heads share the hidden size, which they must divide."""
    hub = hub_config(tiny_config("sdar"))
    assert ModelConfig.from_hub(hub).own_head_size == 12
    assert ModelConfig.from_hub(hub | {"head_dim": 8}).own_head_size is None
    assert ModelConfig.from_hub(hub | {"head_dim": None}) == tiny_config("sdar", own_head_size=None)
    with pytest.raises(ValueError, match=r"hidden size 34, 4 heads .* do not divide one another"):
        ModelConfig.from_hub(hub | {"head_dim": None, "hidden_size": 34})


BLOCK_CAUSAL_SHAPES = {name: config for name, config in PUBLISHED.items() if config.causal_block}
BLOCK_CAUSAL_SHAPES |= {f"{name}, tied": replace(PUBLISHED[name], tied_head=True) for name in ("sdar_1_7b", "sdar_4b")}
PUBLISHED_TOTALS = {
    "sdar_4b, tied": 4_022_468_096,
    "sdar_8b": 8_190_735_360,
    "fast_dllm_v2_7b": 7_615_616_512,
    "fast_dllm_v2_1_5b": 1_543_714_304,
}
"""Those of the Qwen3 and Qwen2.5 checkpoints of the same shape."""


@pytest.mark.parametrize("name", BLOCK_CAUSAL_SHAPES)
def test_published_shapes_have_the_number_of_parameters_of_a_formula(name: str) -> None:
    config = BLOCK_CAUSAL_SHAPES[name]
    assert ModelConfig.from_hub(_published(config)) == config
    assert (config.head_size, set(config.end_ids)) == (128, {151645, 151643})
    hidden, size, heads, shared = config.hidden_size, config.head_size, config.heads, config.key_value_heads
    normed = 2 * size if config.family == "sdar" else size * (heads + 2 * shared)
    attention = hidden * size * (2 * heads + 2 * shared) + normed
    layers = config.layers * (attention + 3 * hidden * config.mlp_size + 2 * hidden)
    total = layers + hidden + config.vocabulary_size * hidden * (1 if config.tied_head else 2)
    with torch.device("meta"):
        transformer = Transformer(config)
    assert sum(weight.numel() for weight in transformer.parameters()) == total
    assert total == PUBLISHED_TOTALS.get(name, total)
    assert hub_names(config).keys() == dict(transformer.named_parameters()).keys()


@pytest.mark.parametrize("model_type", ["qwen3", "sdar_moe", "SDAR", "fast_dllm_qwen"])
def test_other_model_types_are_refused_with_the_known_ones(model_type: str, tmp_path: Path) -> None:
    """A mixture of experts, SDAR-30B-A3B's `sdar_moe`, is one of them."""
    hub = hub_config(tiny_config("sdar")) | {"model_type": model_type}
    (tmp_path / "config.json").write_text(json.dumps(hub))
    with pytest.raises(ValueError, match="model_type is") as caught:
        read_config(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    known = "expected one of 'llada', 'Dream', 'sdar', 'Fast_dLLM_Qwen'"
    assert message.endswith(f"config.json: model_type is {model_type!r}, {known}")


def _logits_by_blocks(model: MaskedDiffusionModel, tokens: Tensor) -> Tensor:
    """Return logits [length - shift, vocabulary] of one forward without a cache."""
    return model.window(tokens[None], Window(0, len(tokens), model.config.logits_shift, len(tokens), len(tokens)))[0]


def _published(config: ModelConfig) -> dict[str, Any]:
    """Return the keys that Qwen's config.json has, with the family's `model_type` and none of a diffusion model."""
    hub = {
        "model_type": config.traits.model_type,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.key_value_heads,
        "intermediate_size": config.mlp_size,
        "vocab_size": config.vocabulary_size,
        "tie_word_embeddings": config.tied_head,
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "hidden_act": "silu",
    }
    return hub | {"head_dim": config.head_size, "attention_bias": False} if config.family == "sdar" else hub
