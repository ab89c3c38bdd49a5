"""The audit over every cache policy: it finds the state of each pick again, and catches planted faults."""

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.replay import replay
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.planted_caches import WRONG
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
OPTIONS = {"dkv": {"interval": 3}, "dpad": {"window": 6, "base": "dual"}, "sparse": {"delay": 1, "retention": 0.3}}


def settings(cache: str, **changes) -> GenerationSettings:
    return GenerationSettings(
        **({"gen_length": 12, "block_length": 6} | changes), cache=cache, cache_options=OPTIONS.get(cache)
    )


@pytest.mark.parametrize("cache", ["dkv", "dkv_prefill", "dpad", "sparse", "dllm_cache"])
def test_a_replay_finds_the_state_of_a_pick_again(family, cache):
    model, generation = restless_model(family, 1), settings(cache)
    trace = Stepwise().decode(model, [5, 17, 3], generation, SPECIAL).trace
    for ordinal in (0, 1, 3, 7, 10):
        pick = trace.picks[ordinal]
        found = replay(model, generation, SPECIAL, None, [5, 17, 3], trace, ordinal)
        assert found.picks == {pick[:2]}
        row = pick.position + 3 - found.block.start
        assert float(found.scores.confidence[0, row]) == pytest.approx(pick.confidence, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_planted_policies_are_graded_algorithmic(family, name):
    decoder, verdicts = WRONG[name], []
    (cache,) = decoder.planted
    generation = settings(cache, gen_length=24, block_length=12)
    torch.manual_seed(0)
    for seed in range(12):
        model = restless_model(family, seed)
        reference = Stepwise().decode(model, [5, 17, 3, seed], generation, SPECIAL)
        decoded = decoder.decode(model, [5, 17, 3, seed], generation, SPECIAL)
        compared = ([5, 17, 3, seed], reference, decoded, decoder)
        audit = Audit(model, generation, SPECIAL)
        if divergence := audit.compare(*compared) or audit.compare_order(*compared):
            verdicts.append(divergence.verdict)
        if len(verdicts) == 2:
            break
    assert verdicts, "no response shows the fault"
    assert set(verdicts) == {"algorithmic"}
