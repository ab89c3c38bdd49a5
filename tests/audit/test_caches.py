"""The audit over every cache policy: it finds the state of each pick again, and catches planted faults."""

from itertools import islice

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.replay import replay
from ssd.decoding.cache_options import caches_of
from ssd.decoding.cache_policy import POLICIES
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.config import Family
from tests.effort import LONG
from tests.planted_caches import WRONG
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
OPTIONS = {
    "vicinity": {"before": 0, "after": 0},
    "dkv": {"interval": 3},
    "dpad": {"window": 6, "base": "dual"},
    "sparse": {"delay": 1, "retention": 0.3},
}


def settings(cache: str, **changes) -> GenerationSettings:
    return GenerationSettings(
        **({"gen_length": 12, "block_length": 6} | changes), cache=cache, cache_options=OPTIONS.get(cache)
    )


@pytest.mark.parametrize("cache", [cache for cache in caches_of("prompt") if POLICIES[cache].caveat])
def test_a_replay_finds_the_state_of_a_pick_again(family, cache):
    model, generation = restless_model(family, 1), settings(cache)
    trace = Stepwise().decode(model, [5, 17, 3], generation, SPECIAL).trace
    for ordinal in (0, 1, 3, 7, 10):
        pick = trace.picks[ordinal]
        found = replay(model, generation, SPECIAL, None, [5, 17, 3], trace, ordinal)
        assert found.picks == {pick[:2]}
        row = pick.position + 3 - found.block.start
        assert float(found.scores.confidence[0, row]) == pytest.approx(pick.confidence, abs=1e-9)


SHOWN = {"counts forwards": (0, 12), "shares entries": (2, 12), "drafts at once": (0, 6), "drops at random": (0, 6)}
"""Of each fault a model's seed and a block length under which its first response shows it."""


def verdict(name: str, family: Family, seed: int, **changes: int) -> str | None:
    """What the audit says of one response over a planted policy; None: it equals the reference's."""
    decoder = WRONG[name]
    (cache,) = decoder.planted
    model, generation, prompt = restless_model(family, seed), settings(cache, **changes), [5, 17, 3, seed]
    reference = Stepwise().decode(model, prompt, generation, SPECIAL)
    decoded = decoder.decode(model, prompt, generation, SPECIAL)
    compared, audit = (prompt, reference, decoded, decoder), Audit(model, generation, SPECIAL)
    found = audit.compare(*compared) or audit.compare_order(*compared)
    return found and found.verdict


@pytest.mark.parametrize("name", WRONG)
def test_a_response_with_a_planted_fault_is_graded_algorithmic(name):
    torch.manual_seed(0)
    seed, block_length = SHOWN[name]
    assert verdict(name, "llada", seed, block_length=block_length) == "algorithmic"


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_planted_policies_are_graded_algorithmic_whatever_the_response(family, name):
    torch.manual_seed(0)
    verdicts = (verdict(name, family, seed, gen_length=24, block_length=12) for seed in range(12))
    found = list(islice(filter(None, verdicts), 2 if LONG else 1))
    assert found, "no response shows the fault"
    assert set(found) == {"algorithmic"}
