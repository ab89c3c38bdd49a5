"""Block-causal models: an exact cache equals no cache, and every lossless decoder equals its reference."""

from functools import partial

import pytest
from hypothesis import HealthCheck, example, given, settings

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from baselines.wino import WINO
from ssd.decoding.block_decoder import BlockDecoder
from ssd.measure.batching import ContinuousBatcher
from ssd.measure.engines import as_decoded
from ssd.speculation.decoder import SelfSpeculative
from tests.block_cases import Case, case, cases, lossless_decoders, outcome, parallel_decoders
from tests.effort import examples
from tests.traces import order

COMMITS = {"none": None, "threshold": ("threshold", 0.3), "dynamic": ("dynamic", 0.3)}


def many(count: int):
    """Settings of a property that is tried on so many cases."""
    return settings(
        max_examples=examples(count, thinner=6),
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow],
    )


@pytest.mark.slow
@many(300)
@given(case=cases(), decoder=lossless_decoders())
@example(case("sdar", 4, 5, 10), SelfSpeculative(6, lookahead=2))
@example(case("sdar", 1, 3, 7, stop="eos_any"), FreeDave(5, eager=True))
@example(
    case("sdar", 8, 7, 13, sub_block_length=2, store="separate"),
    SelfSpeculative(8, 4, 12, builder="best_first", lookahead=1),
)
@example(case("fast_dllm_v2", 8, 8, 17, temperature=1.0), FreeDave(9, eager=True))
@example(case("fast_dllm_v2", 32, 31, 34, sub_block_length=8, steps=16), SelfSpeculative(3, 2, builder="kary"))
@example(case("fast_dllm_v2", 2, 1, 9, store="separate"), SelfSpeculative(4, lookahead=2))
def test_lossless_decoders_are_stepwise_decoding(case: Case, decoder: BlockDecoder) -> None:
    """With a cache and without one, in both ways to store."""
    assert decoder.caveat(case.settings) is None
    reference = case.decode(Stepwise(), cache="none")
    stepwise, decoded = case.decode(Stepwise()), case.decode(decoder)
    assert outcome(stepwise) == outcome(reference)
    assert outcome(decoded) == outcome(reference)
    assert decoded.trace.nfe <= stepwise.trace.nfe
    assert case.special.mask_id not in decoded.response_ids
    other = {"store": "separate" if case.settings.store == "fused" else "fused"}
    changes = {"cache": "none"} if case.settings.seed % 2 else other
    assert outcome(case.decode(decoder, **changes)) == outcome(reference)


@pytest.mark.slow
@many(120)
@given(case=cases(), decoder=parallel_decoders())
@example(case("sdar", 4, 6, 11, steps=2), FreeDave(6, "exact_match", eager=True, threshold=0.2))
@example(case("fast_dllm_v2", 8, 3, 17, sub_block_length=4), FreeDave(6, "exact_match", eager=True, threshold=0.5))
def test_drafts_over_a_commit_rule_are_that_rules_decoding(case: Case, decoder: BlockDecoder) -> None:
    assert decoder.reference is not None
    assert decoder.caveat(case.settings) is None
    reference = case.decode(decoder.reference, cache="none")
    assert outcome(case.decode(decoder.reference)) == outcome(reference)
    assert outcome(case.decode(decoder)) == outcome(reference)


@many(40)
@given(case=cases(sampled=False), decoder=lossless_decoders())
@example(case("sdar", 4, 6, 11), SelfSpeculative(5, lookahead=1))
@example(case("fast_dllm_v2", 8, 9, 11, store="separate"), SelfSpeculative(4, 3, 7, builder="best_first"))
@pytest.mark.slow
def test_engines_and_batches_are_stepwise_decoding(case: Case, decoder: BlockDecoder) -> None:
    reference = outcome(case.decode(Stepwise()))
    for engine, numerics in (("graph", "native"), ("eager", "locked"), ("graph", "locked")):
        model = as_decoded(case.model, engine, numerics, Stepwise(), decoder)
        for each in (Stepwise(), decoder):
            assert outcome(case.decode(each, model)) == reference
    prompts = [list(case.prompt), [*case.prompt, 5, 9, 11], list(case.prompt)]
    decode = partial(decoder.decode, settings=case.settings, special=case.special)
    shared = ContinuousBatcher(case.model).run([partial(decode, prompt_ids=prompt) for prompt in prompts], 2)
    assert [outcome(shared[place].result) for place in (0, 2)] == [reference, reference]


@many(60)
@given(case=cases(), decoder=lossless_decoders())
@example(case("fast_dllm_v2", 4, 6, 11), SelfSpeculative(5, lookahead=1))
def test_a_ranked_block_start_without_a_cache_is_stepwise_decoding_too(case: Case, decoder: BlockDecoder) -> None:
    """With shifted logits. The exact cache refuses it, because the row that predicts the start is stored."""
    changes = {"cache": "none", "block_start": "ranked"}
    assert outcome(case.decode(decoder, **changes)) == outcome(case.decode(Stepwise(), **changes))


@pytest.mark.parametrize("sub_block_length", [None, 8])
@pytest.mark.parametrize("store", ["fused", "separate"])
@pytest.mark.parametrize("offset", [0, 5, 15])
def test_wino_decodes_block_by_block_with_and_without_a_cache(offset: int, store: str, sub_block_length) -> None:
    """The prompt's tail shares a block with the first tokens of the response, and is never revoked."""
    revoked = 0
    for seed in range(2):
        made = case("sdar", 16, 16 + offset, 20, seed, store=store, sub_block_length=sub_block_length)
        cached, uncached = (made.decode(WINO(0.1, 0.9), cache=cache).trace for cache in ("exact", "none"))
        kept = [event for event in cached.events if event.picks]
        assert order(cached) == order(uncached)
        assert [event.revoked for event in kept] == [event.revoked for event in uncached.events]
        assert all(position >= 0 for event in kept for position in event.revoked)
        revoked += sum(len(event.revoked) for event in kept)
    assert revoked


@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("family", ["sdar", "fast_dllm_v2"])
def test_responses_change_with_the_store_that_is_left_out(family: str, commit: str) -> None:
    """Random models vary: another prompt in front of the last block gives another response."""
    decoder = Stepwise() if COMMITS[commit] is None else FastDLLM(*COMMITS[commit])
    seen = {tuple(case(family, 4, 9, 12, seed).decode(decoder).response_ids) for seed in range(4)}
    assert len(seen) == 4
    assert max(len(set(response)) for response in seen) > 3
