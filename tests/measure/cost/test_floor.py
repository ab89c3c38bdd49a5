"""The floor: work counted against torch's own counter and published sizes; rates on an imagined clock."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.cost import floor
from ssd.measure.cost.floor import Rates, Work, weight_bytes
from ssd.measure.cost.forwards import block_of
from ssd.measure.cost.rows import forward_rows, growth_rows, split_by_fit
from ssd.measure.cost.shapes import random_weights, shape_with
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.growing_kv_cache import StoredContext
from ssd.modeling.published import PUBLISHED
from ssd.modeling.transformer import Transformer
from tests.modeling.windows import MODES, block_window, random_canvas, random_states, refresh_window
from tests.models import BLOCK_CAUSAL, random_model, tiny_config

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
RATES = Rates(bytes_per_s=1e9, flops_per_s=1e9)


PARAMETERS = {
    "llada": 8_015_581_184,
    "dream": 7_615_616_512,
    "sdar_8b": 8_190_735_360,
    "fast_dllm_v2_7b": 7_615_616_512,
}


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_shapes_have_as_many_parameters_as_published(name, parameters):
    with torch.device("meta"):
        transformer = Transformer(PUBLISHED[name]).to(torch.bfloat16)
    assert sum(weight.numel() for weight in transformer.parameters()) == parameters
    embedding = PUBLISHED[name].vocabulary_size * PUBLISHED[name].hidden_size
    assert weight_bytes(MaskedDiffusionModel(transformer)) == 2 * (parameters - embedding)


def flops_of_fused_attention(query, key, *_, **__):
    """Of shapes [batch, heads, length, head_size]; the CPU's own kernel is one that torch does not count."""
    batch, heads, length, head_size = query
    return 4 * batch * heads * length * key[2] * head_size


def flops_of(call):
    """Return the FLOPs that torch counts in a call."""
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={fused: flops_of_fused_attention}) as counter:
        call()
    return counter.get_total_flops()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("nodes", [1, 3])
def test_products_are_those_that_torch_counts(family, mode, nodes):
    model = random_model(family)
    canvas, window = random_canvas(model.config), block_window(model.config, mode)
    context = None if window.is_whole else model.refresh(canvas, refresh_window(window))[1]
    states = random_states(model.config, canvas, window, nodes)
    frozen = 0 if context is None else window.length - window.size
    counted = flops_of(lambda: model.window(states, window, context))
    assert Work.of(model, nodes, window.size, frozen, window.rows).flops == counted


@pytest.mark.parametrize("block_causal", BLOCK_CAUSAL)
@pytest.mark.parametrize("nodes", [1, 3])
def test_products_beside_an_exact_cache_are_those_that_torch_counts(block_causal, nodes):
    model = random_model(block_causal)
    block = model.config.causal_block
    settings = GenerationSettings(gen_length=16, block_length=block, grid="absolute", cache="exact")
    window = block_of(settings, model.config.logits_shift, 0, 2 * block + 16).window
    cache = model.new_growing_cache(3 * block)
    model.append(torch.zeros(2 * block, dtype=torch.long), cache)
    states = random_states(model.config, torch.zeros(3 * block, dtype=torch.long), window, nodes)
    counted = flops_of(lambda: model.window(states, window, StoredContext(cache, 2 * block)))
    assert Work.of(model, nodes, block, 2 * block, window.rows).flops == counted


def test_bytes_are_the_weights_and_the_keys_and_values(family):
    model = random_model(family, dtype=torch.float32)
    alone, seen = Work.of(model, 1, 8, 0, 8), Work.of(model, 3, 8, 40, 8)
    pair = 2 * model.config.key_value_heads * model.config.head_size * model.config.layers * 4
    assert alone.bytes == weight_bytes(model) + 8 * pair
    assert seen.bytes - alone.bytes == (40 + 2 * 8) * pair


@pytest.mark.parametrize(("moved", "flops", "floor_s"), [(4_000, 1_000, 4.0), (1_000, 6_000, 6.0)])
def test_the_floor_is_the_scarcer_of_the_two(moved, flops, floor_s):
    rates = Rates(bytes_per_s=1_000, flops_per_s=1_000)
    assert Work(moved, flops).floor_s(rates) == floor_s
    assert Work(moved, flops).bandwidth_utilisation(8.0, rates) == moved / 8_000


def test_rates_are_those_of_the_best_repeat(monkeypatch):
    seconds = iter([4.0, 0.5, 2.0, 8.0, 16.0, 1.0])
    monkeypatch.setattr(floor, "timed", lambda call, device: (call(), next(seconds)))
    model = random_model("llada", dtype=torch.float32)
    rates = Rates.measure(model, repeats=3)
    assert rates.bytes_per_s == pytest.approx(2 * weight_bytes(model) / 0.5)
    assert rates.flops_per_s == 2 * 512**3 / 1.0


def test_random_weights_depend_on_the_seed_alone(family):
    config = tiny_config(family)
    one, same, other = (random_weights(config, torch.device("cpu"), torch.bfloat16, seed) for seed in (3, 3, 4))
    tokens = torch.arange(8)[None]
    logits = one.transformer.logits(tokens)
    assert logits.dtype == torch.bfloat16
    assert torch.equal(logits, same.transformer.logits(tokens))
    assert not torch.equal(logits, other.transformer.logits(tokens))
    assert 0.5 < logits.float().std() < 2


def test_a_shape_is_known_by_its_mask():
    assert shape_with(151666) is PUBLISHED["dream"]
    with pytest.raises(ValueError, match="3 shapes with mask id 151669; name a folder"):
        shape_with(151669)
    with pytest.raises(ValueError, match="no shape with mask id 5"):
        shape_with(5)


@pytest.mark.parametrize("cache", ["none", "prefix", "dual", "dkv_prefill"])
def test_rows_hold_every_forward_once(family, cache):
    settings = GenerationSettings(gen_length=16, block_length=8, cache=cache)
    rows = forward_rows(random_model(family), settings, SPECIAL, 12, [4, 2], RATES, budget_s=0)
    refresh = [] if cache == "none" else ["refresh"]
    assert [row["nodes"] for row in rows] == [*refresh, "1", "2", "4"]
    for row in rows:
        assert row["window"] + row["context"] == 28
        assert row["to_floor"] * row["floor_ms"] == pytest.approx(row["ms"])
        assert row["floor_ms"] == pytest.approx(max(row["megabytes"], row["gigaflops"] * 1e3))


@pytest.mark.parametrize("block_causal", BLOCK_CAUSAL)
def test_rows_of_an_exact_cache_are_windows_beside_the_stored_blocks(block_causal):
    model = random_model(block_causal)
    block = model.config.causal_block
    settings = GenerationSettings(gen_length=16, block_length=block, grid="absolute", cache="exact")
    rows = forward_rows(model, settings, SPECIAL, 2 * block + 1, [4, 2], RATES, budget_s=0)
    assert [row["nodes"] for row in rows] == ["1", "2", "4"]
    assert all((row["window"], row["context"]) == (block, 2 * block) for row in rows)


@pytest.mark.parametrize("cache", ["dual", "dkv_prefill"])
def test_growth_adds_up_what_stepwise_decoding_spends(family, cache):
    settings = GenerationSettings(gen_length=16, block_length=8, cache=cache)
    model = random_model(family)
    assert split_by_fit(model.config, 12, [8, 116, 117, 32]) == ([8, 116, 32], [117])
    rows = growth_rows(model, settings, SPECIAL, 12, [8, 32], budget_s=0)
    assert [row["gen_length"] for row in rows] == [8, 32]
    for row in rows:
        refreshes = row["gen_length"] // 8 if cache == "dual" else 1
        spent_ms = refreshes * row["refresh_ms"] + (row["nfe"] - refreshes) * row["decode_ms"]
        assert row["seconds"] * 1e3 == pytest.approx(spent_ms)
