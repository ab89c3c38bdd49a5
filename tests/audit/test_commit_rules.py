"""The audit over commit rules with memory: it finds the state of each pick again."""

import pytest

from baselines.fast_dllm import FastDLLM
from baselines.rules.credit import CreditDecoding
from baselines.rules.klass import KLASS
from ssd.audit.replay import forward_of, replay
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
RULES = (KLASS(0.2, 1.0, 1, "response"), KLASS(0.2, 1.0, 2, "block"), CreditDecoding(0.6, alpha=2.0))


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_replay_finds_the_picks_of_a_step_again(family, rule):
    model = restless_model(family, 1, sharpness=5.0)
    generation = GenerationSettings(gen_length=12, block_length=4, cache="none")
    decoder = FastDLLM(commit=rule)
    decoder.keep_confidences()
    trace = decoder.decode(model, [5, 17, 3], generation, SPECIAL).trace
    for ordinal in (0, 5, 9, 11):
        found = replay(model, generation, SPECIAL, rule, [5, 17, 3], trace, ordinal)
        picks = trace.events[forward_of(trace.events, ordinal)].picks
        assert found.picks == {pick[:2] for pick in picks}
        for pick in picks:
            row = pick.position + 3 - found.block.start
            assert float(found.scores.confidence[0, row]) == pytest.approx(pick.confidence, abs=1e-9)
            assert int(found.perturbed[row].argmax()) == pick.token
