"""Sub-blocks of models with full attention: only the leftmost one with masks is picked from."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.fast_dllm import FastDLLM
from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.config import Family
from tests.block_cases import lossless_decoders, outcome, parallel_decoders
from tests.effort import examples
from tests.generations import generations
from tests.models import FAMILIES
from tests.restless import restless_model
from tests.traces import order

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))


@st.composite
def with_sub_blocks(draw: st.DrawFn) -> GenerationSettings:
    """Settings whose blocks have two to four sub-blocks."""
    part, parts, generation = draw(st.sampled_from([1, 2, 4])), draw(st.integers(2, 4)), draw(generations())
    length = part * parts
    per_part = draw(st.one_of(st.none(), st.integers(1, part)))
    return replace(
        generation,
        gen_length=2 * length,
        block_length=length,
        sub_block_length=part,
        steps=None if per_part is None else 2 * parts * per_part,
    )


@settings(max_examples=examples(48), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    family=st.sampled_from(FAMILIES),
    seed=st.integers(0, 20),
    prompt=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    generation=with_sub_blocks(),
    lossless=lossless_decoders(lookahead=False),
    parallel=parallel_decoders(lookahead=False),
)
@pytest.mark.slow
def test_lossless_decoders_equal_their_references(family, seed, prompt, generation, lossless, parallel):
    model = restless_model(family, seed)
    for decoder in (lossless, parallel):
        assert decoder.caveat(generation) is None
        reference = (decoder.reference or Stepwise()).decode(model, prompt, generation, SPECIAL)
        decoded = decoder.decode(model, prompt, generation, SPECIAL)
        assert outcome(decoded) == outcome(reference)
        assert decoded.trace.nfe <= reference.trace.nfe


@pytest.mark.parametrize("ranking", ["low_confidence", "random", "entropy", "sequential"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("steps", [None, 8])
def test_without_a_cache_sub_blocks_are_blocks(family: Family, ranking: str, temperature: float, steps: int | None):
    """A block decides nothing else there: every forward computes the whole canvas."""
    small = GenerationSettings(
        gen_length=16, block_length=2, cache="none", ranking=ranking, temperature=temperature, steps=steps
    )
    large = replace(small, block_length=8, sub_block_length=2)
    for seed in range(2):
        model = restless_model(family, seed)
        decoded, expected = (Stepwise().decode(model, [4, 8, 15], each, SPECIAL) for each in (large, small))
        assert decoded.response_ids == expected.response_ids
        assert order(decoded.trace) == order(expected.trace)


@pytest.mark.parametrize("rule", ["threshold", "factor", "dynamic"])
def test_a_commit_rule_stays_in_its_sub_block(family: Family, rule: str) -> None:
    small = GenerationSettings(gen_length=16, block_length=4, cache="none")
    large = replace(small, block_length=16, sub_block_length=4)
    several = 0
    for seed in range(3):
        model, decoder = restless_model(family, seed), FastDLLM(rule, 0.2, 1.5)
        decoded, expected = (decoder.decode(model, [4, 8, 15], each, SPECIAL) for each in (large, small))
        assert decoded.response_ids == expected.response_ids
        assert order(decoded.trace) == order(expected.trace)
        several += any(len(event.picks) > 1 for event in decoded.trace.events)
    assert several
