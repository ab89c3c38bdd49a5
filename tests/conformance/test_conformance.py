"""Every decoder in conf/decoder keeps the contract, whichever it is: a new YAML is covered the moment it exists.

A decoder that git does not track has the mark `own`: `pytest tests/conformance` tests it, `make test` does not.
"""

import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings
from tests.conformance.candidates import (
    LIMITS,
    LINES,
    LOSSLESS,
    NAMES,
    OWN,
    SMALL,
    SPECIAL,
    Candidate,
    accepts,
    candidate,
    model_of,
    small_model,
)
from tests.conformance.checks import check_deterministic, check_lossless, check_response
from tests.effort import LONG, examples
from tests.generations import drawn, generations
from tests.models import FAMILIES
from tests.planted import WRONG, StaleContext

CLAIMS = examples(50, 2)
CACHES = ("none", "prefix", "dual")
SHAPES = {
    "one block": (8, 8),
    "one-token blocks": (5, 1),
    "several blocks": (9, 3),
    "one position": (1, 1),
}
# FreeDave++ with the published match rule: docs/decoders.md says why.
NEVER_LOSSLESS = ("decoder=freedave decoder.threshold=0.3",)
OWN_NAMES = [pytest.param(name, marks=pytest.mark.own) for name in OWN]
OWN_LINES = [pytest.param(f"decoder={name}", marks=pytest.mark.own) for name in OWN]
each_name = pytest.mark.parametrize("name", [*NAMES, *OWN_NAMES])
each_line = pytest.mark.parametrize("line", [*LINES, *OWN_LINES])
anything = settings(
    max_examples=examples(40, 2), deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


def prompt_of(length: int, seed: int = 0) -> list[int]:
    generator = random.Random(f"{length} {seed}")
    return [generator.randrange(5, 500) for _ in range(length)]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(("length", "temperature"), [(1, 0.0), (7, 0.0), (7, 0.8)])
@each_line
def test_responses_are_complete_explained_and_honestly_counted(line, shape, cache, length, temperature):
    """With a family that the decoder takes: both in a long run, else by turns."""
    gen_length, block_length = shape
    generation = GenerationSettings(
        gen_length=gen_length, block_length=block_length, cache=cache, temperature=temperature
    )
    taken = [family for family in FAMILIES if accepts(candidate(line, family).decoder, generation, family)]
    turn = (len(line) + gen_length) % max(1, len(taken))
    for family in taken if LONG else taken[turn : turn + 1]:
        check_response(candidate(line, family).decoder, model_of(family), prompt_of(length), generation)


@each_name
def test_every_decoder_takes_every_cache_for_at_least_one_family(name):
    for cache in CACHES:
        generation = GenerationSettings(gen_length=8, block_length=4, cache=cache)
        assert any(accepts(candidate(f"decoder={name}", family).decoder, generation, family) for family in FAMILIES)


@each_line
@pytest.mark.slow
def test_the_same_seed_gives_the_same_response(line):
    """Sampled, and in a long run greedily too; with a family that the decoder takes."""
    for temperature in (0.8, 0.0) if LONG else (0.8,):
        generation = GenerationSettings(gen_length=8, block_length=4, temperature=temperature, cache="none")
        decoders = {family: candidate(line, family).decoder for family in FAMILIES}
        taken = [family for family, decoder in decoders.items() if accepts(decoder, generation, family)]
        for family in taken[-1:] if temperature else taken[:1]:
            check_deterministic(decoders[family], model_of(family), prompt_of(5), generation)


@each_line
@anything
@given(generation=generations(), family=st.sampled_from(FAMILIES), seed=st.integers(0, 5), length=st.integers(1, 9))
@pytest.mark.slow
def test_responses_keep_the_contract_under_any_settings(line, generation, family, seed, length):
    decoder = candidate(line, family).decoder
    if accepts(decoder, generation, family):
        check_response(decoder, model_of(family, seed), prompt_of(length, seed), generation)


@pytest.mark.parametrize("line", [*(line for line in LINES if LOSSLESS[line.split()[0]]), *OWN_LINES])
@pytest.mark.slow
def test_what_claims_to_be_lossless_is(line):
    """A claim that a caveat takes back everywhere is none; what the YAML alone makes must keep it everywhere."""
    if not candidate(line, FAMILIES[0]).lossless:
        pytest.skip("its YAML has lossless: false")
    generator, checked, tries = random.Random(line), 0, 0
    while checked < CLAIMS and tries < 8 * CLAIMS:
        tries += 1
        family, generation = generator.choice(FAMILIES), drawn(generator)
        claimed = candidate(line, family)
        if not accepts(claimed.decoder, generation, family) or claimed.decoder.caveat(generation) is not None:
            assert " " in line, "a decoder that claims to be lossless takes its claim back, or refuses plain settings"
            continue
        checked += 1
        prompt = [generator.randrange(5, SMALL) for _ in range(generator.randint(1, 9))]
        check_lossless(claimed, small_model(family, generator.randrange(6)), prompt, generation)
    assert checked == CLAIMS or line in NEVER_LOSSLESS


@pytest.mark.parametrize("name", [*(name for name in NAMES if not LOSSLESS[f"decoder={name}"]), *OWN_NAMES])
@anything
@given(generation=generations(), family=st.sampled_from(FAMILIES), seed=st.integers(0, 5), length=st.integers(1, 9))
@pytest.mark.slow
def test_what_is_lossy_is_stepwise_decoding_in_its_limit(name, generation, family, seed, length):
    if candidate(f"decoder={name}", FAMILIES[0]).lossless:
        pytest.skip("its YAML has lossless: true")
    assert name in LIMITS, f"conf/decoder/{name}.yaml says lossless: false; add its limit to candidates.LIMITS"
    limit = LIMITS[name]
    degenerate = candidate(f"decoder={name} {limit.words}", family)
    generation = limit.settings(generation)
    if accepts(degenerate.decoder, generation, family):
        model, prompt = model_of(family, seed), prompt_of(length, seed)
        reference = Stepwise().decode(model, prompt, generation, SPECIAL)
        decoded = degenerate.decoder.decode(model, prompt, generation, SPECIAL)
        decided = generation.gen_length - decoded.trace.filled  # it may stop at an end token, stepwise decoding not
        assert decided
        assert decoded.response_ids[:decided] == reference.response_ids[:decided]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
@pytest.mark.slow
def test_a_decoder_that_claims_to_be_lossless_and_is_not_fails(wrong):
    """The planted controls: each is caught by the very check that every decoder has to pass."""
    claimed = Candidate(wrong(depth=4), lossless=True)
    for cache in CACHES if wrong is not StaleContext else CACHES[1:]:  # without a cache nothing can be stale
        for temperature in (0.0, 0.8):
            generation = GenerationSettings(gen_length=12, block_length=6, cache=cache, temperature=temperature)
            cases = itertools.product(range(6), FAMILIES)
            caught = any(fails(claimed, family, seed, generation) for seed, family in cases)
            assert caught, f"not caught with {cache}, temperature {temperature}"


def fails(claimed, family, seed, generation):
    try:
        check_lossless(claimed, model_of(family, seed), prompt_of(4, seed), generation)
    except AssertionError:
        return True
    return False
