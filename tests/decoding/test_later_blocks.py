"""Full attention: drafts in later blocks give stepwise decoding's response and order."""

import pytest
from hypothesis import HealthCheck, example, given, settings

from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.cache_policy import caches_across_blocks, plain_caches
from ssd.speculation.decoder import SelfSpeculative
from tests.block_cases import Case, case, full_cases, lossless_decoders, outcome
from tests.effort import examples

ACROSS = {
    "chain": SelfSpeculative(6, lookahead=1),
    "kary": SelfSpeculative(3, 2, builder="kary", lookahead=2),
    "best_first": SelfSpeculative(6, 3, 9, builder="best_first", lookahead=1),
    "auto": SelfSpeculative("auto", builder="best_first", costs=[[1, 1.0], [32, 1.5]], lookahead=2),
    "eager": FreeDave(6, eager=True),
}


@settings(max_examples=examples(300, thinner=6), deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(made=full_cases(), decoder=lossless_decoders())
@example(case("llada", 3, 5, 9, stop="eos_any"), FreeDave(9, eager=True))
@example(case("dream", 8, 7, 24, sub_block_length=4, temperature=1.0), ACROSS["best_first"])
@example(case("llada", 8, 1, 16, steps=4, schedule="dream"), ACROSS["kary"])
@example(case("dream", 1, 3, 5, cache="dkv_prefill"), ACROSS["chain"])
@pytest.mark.slow
def test_response_and_order_are_stepwise_decodings(made: Case, decoder: BlockDecoder) -> None:
    assert decoder.caveat(made.settings) is None
    reference, decoded = made.decode(Stepwise()), made.decode(decoder)
    assert outcome(decoded) == outcome(reference)
    assert decoded.trace.nfe <= reference.trace.nfe


@pytest.mark.parametrize("cache", caches_across_blocks("prompt"))
@pytest.mark.parametrize("decoder", ACROSS)
@pytest.mark.slow
def test_forwards_commit_picks_of_several_blocks(decoder: str, cache: str) -> None:
    """Random models vary, so that these picks are more than repetitions."""
    crossing, seen = 0, set()
    for seed in range(2):
        made = case(["llada", "dream"][seed % 2], 3, 5, 15, seed, cache=cache)
        decoded = made.decode(ACROSS[decoder])
        assert outcome(decoded) == outcome(made.decode(Stepwise()))
        crossing += sum(len({pick.position // 3 for pick in event.picks}) > 1 for event in decoded.trace.events)
        seen.add(tuple(decoded.response_ids))
    assert crossing
    assert len(seen) == 2


@pytest.mark.parametrize("cache", sorted({*plain_caches("prompt")} - {*caches_across_blocks("prompt")}))
def test_caches_that_every_block_begins_anew_refuse_them(cache: str) -> None:
    """FreeDave's drafts are lossy there, and its caveat says so."""
    made = case("llada", 4, 3, 8, cache=cache)
    with pytest.raises(
        ValueError, match=f"decoder.lookahead=1 with generation.cache={cache}: .*; pass decoder.lookahe"
    ):
        made.decode(ACROSS["chain"])
    assert FreeDave(eager=True).caveat(made.settings) is not None
