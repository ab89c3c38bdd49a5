"""The exact cache: how many forwards and rows it costs, and which settings it is refused with."""

from dataclasses import replace

import pytest

from baselines.apd import APD
from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.cache_policy import check_pair
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.forward_input import with_stored
from ssd.speculation.decoder import SelfSpeculative
from tests.block_cases import case, restless
from tests.models import tiny_config


@pytest.mark.parametrize("block", [2, 4, 8])
def test_a_separate_store_costs_one_forward_per_block(block: int) -> None:
    """After a prompt of whole blocks, at one token a step: B + 1 forwards per block, and B where stores are fused."""
    for store, per_block in (("separate", block + 1), ("fused", block)):
        trace = case("sdar", block, 2 * block, 3 * block, store=store).decode(Stepwise()).trace
        assert [sum(event.block == index for event in trace.events) for index in range(3)] == [per_block] * 3
        assert trace.nfe == 3 * per_block
        stores = [event for event in trace.events if not event.picks]
        assert len(stores) == (3 if store == "separate" else 0)
        assert [event.stored for event in trace.events if event.stored] == [2 * block, block, block]


@pytest.mark.parametrize("store", ["fused", "separate"])
def test_a_store_that_predicts_the_next_block_is_no_extra_forward(store: str) -> None:
    """With shifted logits its last row commits the next block's first token, so that both ways to store are one."""
    trace = case("fast_dllm_v2", 8, 16, 24, store=store).decode(Stepwise()).trace
    assert trace.nfe == 3 * 8
    assert [event.stored for event in trace.events if event.stored] == [16, 8, 8]
    assert [event.rows for event in trace.events[:2]] == [0, 8]


DECODERS: dict[str, Decoder] = {
    "stepwise": Stepwise(),
    "chain": SelfSpeculative(5),
    "best_first": SelfSpeculative(6, 3, 9, builder="best_first", lookahead=1),
    "eager": FreeDave(7, eager=True),
    "threshold": FastDLLM("threshold", 0.3),
}


@pytest.mark.parametrize(("cache", "store"), [("exact", "fused"), ("exact", "separate"), ("none", "fused")])
@pytest.mark.parametrize("family", ["sdar", "fast_dllm_v2"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_rows_and_forwards_of_the_trace_are_those_that_the_transformer_computes(
    family: str, store: str, decoder: str, cache: str
) -> None:
    made = case(family, 4, 6, 17, store=store, cache=cache)
    counted = []

    def count(_: object, inputs: tuple) -> None:
        counted.append(sum(window.tokens.numel() for window in with_stored(inputs[0])))

    hook = made.model.transformer.register_forward_pre_hook(count)
    trace = made.decode(DECODERS[decoder]).trace
    hook.remove()
    assert [event.nodes * event.rows + event.stored for event in trace.events] == counted
    assert trace.token_rows == sum(counted)
    assert trace.nfe == len(counted)


def test_a_block_that_an_eager_draft_has_filled_costs_its_store_only() -> None:
    """At blocks of two, drafts of eight fill whole blocks: these are stored beside the next one, and never opened."""
    found = 0
    for seed in range(6):
        trace = case("sdar", 2, 4, 20, seed).decode(FreeDave(8, eager=True)).trace
        blocks = [event.block for event in trace.events]
        skipped = set(range(blocks[-1])) - set(blocks)
        found += len(skipped)
        # Every block but the last is stored once, beside the prompt's two.
        assert sum(event.stored for event in trace.events) == 4 + 2 * blocks[-1]
    assert found


ABSOLUTE = GenerationSettings(gen_length=16, block_length=4, grid="absolute", cache="exact")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"cache": "prefix"}, "generation.cache=prefix with generation.grid=absolute: this grid has none or exact"),
        ({"cache": "dual"}, "generation.cache=dual with generation.grid=absolute: this grid has none or exact"),
        (
            {"grid": "prompt"},
            "generation.cache=exact with generation.grid=prompt: this grid has none or prefix or dual",
        ),
        ({"grid": "page"}, "generation.grid='page': expected one of prompt, absolute"),
        ({"store": "late"}, "generation.store='late': expected one of fused, separate"),
        (
            {"store": "separate", "cache": "none"},
            "generation.store=separate with generation.cache=none: expected fused, .*; pass generation.store=fused$",
        ),
        ({"stop": "eos"}, "generation.stop='eos': expected one of none, eos_block, eos_any"),
        ({"sub_block_length": 3}, "generation.sub_block_length=3: expected null or a divisor of generation.block_len"),
        ({"sub_block_length": 0}, "generation.sub_block_length=0: expected null or a divisor"),
        (
            {"steps": 5},
            "generation.steps=5: expected null .* or the number of steps per block, from 1 to 4",
        ),
        ({"steps": 3, "sub_block_length": 2}, "generation.steps=3: expected null .* from 2 to 4 by 2"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        replace(ABSOLUTE, **values)
    assert "\n" not in str(caught.value)


FULL = GenerationSettings(gen_length=16, block_length=4)


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        (
            "llada",
            ABSOLUTE,
            "generation.grid=absolute, .*full attention; pass generation.grid=prompt and .*none or pre",
        ),
        ("dream", ABSOLUTE, "generation.grid=absolute, .*full attention; pass generation.grid=prompt"),
        ("sdar", FULL, "generation.grid=prompt, .*block-causal attention; pass generation.grid=absolute and .*exact$"),
        ("fast_dllm_v2", FULL, "generation.grid=prompt, .*block-causal attention; pass generation.grid=absolute"),
        (
            "sdar",
            replace(ABSOLUTE, block_length=8),
            "generation.block_length=8: the model attends in blocks of 4; pass",
        ),
        (
            "fast_dllm_v2",
            replace(ABSOLUTE, block_length=8, block_start="ranked"),
            "generation.block_start=ranked with generation.cache=exact: .*; pass generation.block_start=commit_first",
        ),
        (
            "fast_dllm_v2",
            replace(ABSOLUTE, block_length=8, steps=2, sub_block_length=4),
            "generation.steps=2: .*expected at least two steps for each sub-block",
        ),
    ],
)
def test_illegal_pairs_are_refused_in_one_line(family: str, settings: GenerationSettings, message: str) -> None:
    model = restless(family)
    for refuse in (
        lambda: check_pair(settings, model.config),
        lambda: Stepwise().decode(model, [1, 2, 3], settings, SpecialTokens(63, (62,))),
    ):
        with pytest.raises(ValueError, match=f"^{message}") as caught:
            refuse()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("decoder", "family", "settings", "message"),
    [
        (APD(), "sdar", ABSOLUTE, "decoder=apd with model family sdar: .*choose another decoder"),
        (
            FastDLLM(scope="global"),
            "sdar",
            replace(ABSOLUTE, cache="none"),
            "decoder.scope=global: a block-causal model",
        ),
        (
            SelfSpeculative(4, lookahead=1),
            "llada",
            FULL,
            "decoder.lookahead=1 with generation.cache=dual: with full attention, .*lookahead=0 or .*none or dkv_",
        ),
    ],
)
def test_decoders_refuse_what_they_cannot_do(
    decoder: BlockDecoder, family: str, settings: GenerationSettings, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        decoder.check(settings, tiny_config(family))
    assert "\n" not in str(caught.value)


def test_eager_drafts_and_stops_go_together_here() -> None:
    for stop in ("none", "eos_block", "eos_any"):
        settings = replace(ABSOLUTE, stop=stop)
        FreeDave(eager=True).check(settings, tiny_config("sdar"))
        assert FreeDave(eager=True).caveat(settings) is None
