"""FreeDave: lossless where it claims so, against stepwise and naive decoding; lossy elsewhere, and it says so."""

from dataclasses import replace
from functools import cache, lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.config import Family
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import examples, some
from tests.generations import generations
from tests.models import FAMILIES, tiny_config
from tests.naive import naive_freedave
from tests.restless import restless_model
from tests.traces import ends, order, steps
from tests.unshakable import Unshakable

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
restless = lru_cache(maxsize=8)(restless_model)
RULES = st.sampled_from(["exact_match", "subset"])
DRAFT_STEPS = st.sampled_from([1, 2, 3, 4, 8, 12])
DRAWN = {
    "family": st.sampled_from(FAMILIES),
    "seed": st.integers(0, 50),
    "sharpness": st.sampled_from([0.3, 1.0, 4.0]),
    "prompt": st.lists(st.integers(0, 60), min_size=1, max_size=12),
    "generation": generations(),
}


def many(count: int):
    """Settings of a property that is tried on so many decoded responses."""
    return settings(
        max_examples=examples(count, thinner=2),
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.mark.slow
@many(80)
@given(draft_steps=DRAFT_STEPS, rule=RULES, **DRAWN)
def test_response_and_order_are_stepwise_decodings(family, seed, sharpness, prompt, generation, draft_steps, rule):
    model, decoder = restless_model(family, seed, sharpness=sharpness), FreeDave(draft_steps, rule)
    assert decoder.caveat(generation) is None
    reference = Stepwise().decode(model, prompt, generation, SPECIAL)
    decoded = decoder.decode(model, prompt, generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert order(decoded.trace) == order(reference.trace)
    assert decoded.trace.nfe <= reference.trace.nfe
    # Step for step it is SSD's chain of the same number of nodes.
    if draft_steps > 1:
        chain = SelfSpeculative(depth=draft_steps - 1).decode(model, prompt, generation, SPECIAL)
        assert steps(decoded.trace) == steps(chain.trace)
        assert decoded.trace.token_rows == chain.trace.token_rows


@many(80)
@given(draft_steps=DRAFT_STEPS, rule=RULES, **DRAWN)
@pytest.mark.slow
def test_eager_without_a_cache_is_stepwise_decoding_too(family, seed, sharpness, prompt, generation, draft_steps, rule):
    """Drafts reach into later blocks, and every node is stepped as stepwise decoding would step it."""
    generation = replace(generation, cache="none")
    model, decoder = restless_model(family, seed, sharpness=sharpness), FreeDave(draft_steps, rule, eager=True)
    decoder.check(generation, model.config)
    assert decoder.caveat(generation) is None
    reference = Stepwise().decode(model, prompt, generation, SPECIAL)
    decoded = decoder.decode(model, prompt, generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert order(decoded.trace) == order(reference.trace)
    assert decoded.trace.nfe <= reference.trace.nfe


def test_eager_drafts_reach_into_later_blocks():
    """Where every draft is right, forwards commit 6, until the known logits or the response end. Without eager, a
    forward per block opens it with one pick."""
    generation = GenerationSettings(gen_length=16, block_length=4, cache="none")
    picks = {
        eager: [
            sorted(position for position, _ in step)
            for step in steps(FreeDave(6, eager=eager).decode(Unshakable(0), [1, 2], generation, SPECIAL).trace)
        ]
        for eager in (False, True)
    }
    assert [len(step) for step in picks[False]] == [1, 3] * 4
    assert [len(step) for step in picks[True]] == [1, 6, 5, 4]
    assert picks[True][1][:3] == picks[False][1]
    assert set(picks[True][1][3:]) < set(range(4, 8))


@pytest.mark.parametrize("cache", ["prefix", "dual"])
def test_eager_beside_a_cache_is_complete_but_lossy_and_says_so(family, cache):
    generation, decoder = GenerationSettings(gen_length=24, block_length=4, cache=cache), FreeDave(8, eager=True)
    assert decoder.caveat(generation).startswith("decoder.eager ")
    differing = 0
    for seed in some(range(6), 3):
        model = restless_model(family, seed)
        decoded = decoder.decode(model, [1, 2, 3], generation, SPECIAL)
        assert SPECIAL.mask_id not in decoded.response_ids
        assert dict(order(decoded.trace)) == dict(enumerate(decoded.response_ids))
        differing += decoded.response_ids != Stepwise().decode(model, [1, 2, 3], generation, SPECIAL).response_ids
    assert differing


@many(80)
@given(
    draft_steps=DRAFT_STEPS,
    threshold=st.sampled_from([0.05, 0.2, 0.5, 0.8, 1.1]),
    eager=st.booleans(),
    **DRAWN,
)
def test_with_a_threshold_exact_match_is_threshold_decoding(
    family, seed, sharpness, prompt, generation, draft_steps, threshold, eager
):
    if eager:
        generation = replace(generation, cache="none")
    model, decoder = (
        restless_model(family, seed, sharpness=2 * sharpness),
        FreeDave(draft_steps, "exact_match", eager, threshold),
    )
    assert decoder.caveat(generation) is None
    assert str(decoder.reference) == str(FastDLLM(threshold=threshold))
    reference = decoder.reference.decode(model, prompt, generation, SPECIAL)
    decoded = decoder.decode(model, prompt, generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert order(decoded.trace) == order(reference.trace)
    assert decoded.trace.nfe <= reference.trace.nfe
    assert ends(decoded.trace) <= ends(reference.trace), "a step was torn apart"


@pytest.mark.slow
def test_with_a_threshold_subset_is_another_decoder_and_says_so():
    """A draft may hold a part of what its target's step commits; going on from there is not what threshold decoding
    does, which commits the rest without asking again."""
    generation, decoder = GenerationSettings(gen_length=32, block_length=16), FreeDave(8, "subset", threshold=0.4)
    assert decoder.caveat(generation).startswith("decoder.rule=subset ")
    differing = 0
    for seed in range(20):
        model = restless_model("llada", seed, sharpness=6.0)
        reference = FastDLLM(threshold=0.4).decode(model, [1, 2, 3], generation, SPECIAL)
        differing += decoder.decode(model, [1, 2, 3], generation, SPECIAL).response_ids != reference.response_ids
    assert 0 < differing < 20


@cache
def naively(family: Family, seed: int, block_length: int, draft_steps: int) -> tuple[list[int], list[int]]:
    """The reference that both rules share."""
    transformer = restless(family, seed, sharpness=1.0).transformer
    return naive_freedave(transformer, [seed + 7, 3, 40], 16, block_length, draft_steps)


@pytest.mark.parametrize("rule", ["exact_match", "subset"])
@pytest.mark.parametrize("draft_steps", [1, 2, 4, 9])
@pytest.mark.parametrize("block_length", [1, 4, 8])
def test_uncached_it_accepts_what_the_naive_decoder_accepts(family, block_length, draft_steps, rule):
    counts = set()
    for seed in some(range(3), 2):
        model, prompt = restless(family, seed, sharpness=1.0), [seed + 7, 3, 40]
        generation = GenerationSettings(gen_length=16, block_length=block_length, cache="none")
        decoded = FreeDave(draft_steps, rule).decode(model, prompt, generation, SPECIAL)
        response, accepted = naively(family, seed, block_length, draft_steps)
        assert decoded.response_ids == response
        assert decoded.trace.nfe == 16 // block_length + len(accepted)
        later = [
            event
            for before, event in zip([None, *decoded.trace.events], decoded.trace.events, strict=False)
            if before is not None and before.block == event.block
        ]
        assert [sum(event.accepted) for event in later] == accepted
        assert [len(event.picks) for event in later] == [count + 1 for count in accepted]
        counts |= set(accepted)
    assert not counts or min(counts) == 0
    assert block_length == 1 or draft_steps == 1 or max(counts) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draft_steps": 0}, "decoder.draft_steps=0: expected a whole number of at least 1"),
        ({"draft_steps": 2.0}, r"decoder.draft_steps=2\.0: "),
        ({"rule": "superset"}, "decoder.rule='superset': expected one of exact_match, subset"),
        ({"eager": "no"}, "decoder.eager=no: expected true or false"),
        ({"threshold": 0}, "decoder.threshold=0: expected null or a number above 0"),
        ({"threshold": True}, "decoder.threshold=True: expected null or a number above 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FreeDave(**options)


def test_eager_is_refused_beside_a_stop():
    generation, config = GenerationSettings(stop="eos_block"), tiny_config("llada")
    FreeDave().check(generation, config)
    FreeDave(eager=True).check(replace(generation, stop="none"), config)
    with pytest.raises(ValueError, match=r"decoder\.eager=true with generation\.stop=eos_block: "):
        FreeDave(eager=True).check(generation, config)
