"""Every decoder of conf/decoder keeps the contract on block-causal models too, with the exact cache and without."""

import random

import pytest

from baselines.stepwise import Stepwise
from ssd.decoding.cache_policy import check_pair
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.config import Family
from tests.conformance.candidates import (
    LIMITS,
    LINES,
    LOSSLESS,
    NAMES,
    OWN,
    SMALL,
    SPECIAL,
    accepts,
    candidate,
    small_model,
)
from tests.conformance.checks import check_lossless, check_response
from tests.effort import examples
from tests.models import BLOCK_CAUSAL

CASES = examples(8)
ACROSS = ["decoder=ssd decoder.lookahead=1"]
"""A further line of drafts in later blocks, which these models verify with their cache, too."""
BLOCK_LINES = [*LINES, *ACROSS]
REFUSING = {"apd"}
"""Decoders that no block-causal model takes; docs/models.md says why."""
own_lines = [pytest.param(f"decoder={name}", marks=pytest.mark.own) for name in OWN]


def drawn(generator: random.Random, family: Family) -> tuple[GenerationSettings, list[int]]:
    """Settings and a prompt at any offset of the grid."""
    block_length = small_model(family, 0).config.causal_block
    parts, cache = generator.choice([1, 1, 2]), generator.choice(["none", "exact", "exact"])
    settings = GenerationSettings(
        gen_length=generator.randint(1, 2 * block_length + 1),
        block_length=block_length,
        sub_block_length=None if parts == 1 else block_length // parts,
        grid="absolute",
        steps=generator.choice([None, None, block_length // 2]),
        cache=cache,
        store=generator.choice(["fused", "separate"]) if cache == "exact" else "fused",
        ranking=generator.choice(["low_confidence", "low_confidence", "sequential", "random", "entropy"]),
        temperature=generator.choice([0.0, 0.0, 0.8]),
        stop=generator.choice(["none", "eos_block", "eos_any"]),
        seed=generator.randrange(100),
    )
    return settings, [generator.randrange(5, SMALL) for _ in range(generator.randint(1, 2 * block_length))]


@pytest.mark.parametrize("line", [*BLOCK_LINES, *own_lines])
@pytest.mark.slow
def test_responses_keep_the_contract_and_claims_hold(line: str) -> None:
    """What claims to be lossless gives stepwise decoding's response, in its order."""
    for family in BLOCK_CAUSAL:
        generator, claimed = random.Random(f"{line} {family}"), candidate(line, family)
        for _ in range(CASES):
            settings, prompt = drawn(generator, family)
            model = small_model(family, generator.randrange(6))
            if not accepts(claimed.decoder, settings, family):
                continue
            check_pair(settings, model.config)
            decoded = check_response(claimed.decoder, model, prompt, settings)
            if claimed.lossless and claimed.decoder.caveat(settings) is None:
                check_lossless(claimed, model, prompt, settings, decoded)


@pytest.mark.parametrize("line", [line for line in BLOCK_LINES if LOSSLESS[line.split()[0]]])
def test_a_claim_is_taken_back_by_no_exact_cache(line: str) -> None:
    """The one exception is FreeDave++ with the published match rule."""
    for family in BLOCK_CAUSAL:
        settings = drawn(random.Random(0), family)[0]
        caveat = candidate(line, family).decoder.caveat(settings)
        assert (caveat is None) == (line != "decoder=freedave decoder.threshold=0.3")


@pytest.mark.parametrize("name", NAMES)
def test_every_decoder_takes_a_block_causal_model_or_refuses_it_by_name(name: str) -> None:
    taken = []
    for family in BLOCK_CAUSAL:
        chosen = [drawn(random.Random(seed), family)[0] for seed in range(8)]  # of several rankings
        taken += [accepts(candidate(f"decoder={name}", family).decoder, settings, family) for settings in chosen]
    assert any(taken) == (name not in REFUSING)


@pytest.mark.parametrize("name", [name for name in LIMITS if name not in REFUSING])
@pytest.mark.slow
def test_what_is_lossy_is_stepwise_decoding_in_its_limit(name: str) -> None:
    limit = LIMITS[name]
    for family in BLOCK_CAUSAL:
        generator, decoder = random.Random(name), candidate(f"decoder={name} {limit.words}", family).decoder
        for _ in range(CASES):
            settings, prompt = drawn(generator, family)
            settings = limit.settings(settings)
            if accepts(decoder, settings, family):
                model = small_model(family, 0)
                reference = Stepwise().decode(model, prompt, settings, SPECIAL)
                assert decoder.decode(model, prompt, settings, SPECIAL).response_ids == reference.response_ids
