"""Cases in which a block-causal response once differed from its reference, or a run could not predict its cost."""

from dataclasses import replace

import pytest

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.cost.model import CostModel, nodes_made
from ssd.measure.engines import as_decoded
from ssd.modeling.forwards import DiffusionModel
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import LONG
from tests.models import random_model

SPECIAL = SpecialTokens(63, (62, *range(1, 60, 6)))
"""Many end tokens, so that stops happen."""


def steps_of(decoder: Decoder, model: DiffusionModel, prompt: list[int], settings: GenerationSettings) -> list[object]:
    decoded = decoder.decode(model, prompt, settings, SPECIAL)
    return [decoded.response_ids, [(pick.position, pick.token) for pick in decoded.trace.picks]]


@pytest.mark.parametrize("seed", range(6))
def test_the_step_of_a_blocks_first_position_has_one_pick_under_the_dynamic_rule(seed: int) -> None:
    """Its logits come from the stored block alone, whatever the tokens per step."""
    model = random_model("fast_dllm_v2", seed=seed, sharpness=3, causal_block=8)
    settings = GenerationSettings(gen_length=16, block_length=8, steps=4, grid="absolute", cache="exact")
    decoder, prompt = FastDLLM("dynamic", 0.5), list(range(1, 17))
    decoder.check(settings, model.config)
    assert steps_of(decoder, model, prompt, settings) == steps_of(
        decoder, model, prompt, replace(settings, cache="none")
    )


@pytest.mark.slow
def test_no_pick_stays_behind_an_end_in_a_later_block_of_a_draft() -> None:
    ended = 0
    for seed in range(40 if LONG else 12):
        model = random_model("sdar", seed=seed, sharpness=6, causal_block=2)
        settings = GenerationSettings(gen_length=12, block_length=2, grid="absolute", cache="exact", stop="eos_any")
        expected = steps_of(Stepwise(), model, [5, 6, 7], settings)
        for decoder in (SelfSpeculative(6, lookahead=4), FreeDave(6, "exact_match", eager=True)):
            assert steps_of(decoder, model, [5, 6, 7], settings) == expected
        ended += len(expected[1]) < 12
    assert ended > 2, "responses that stop early are the point"


@pytest.mark.parametrize(("engine", "numerics"), [("eager", "locked"), ("graph", "native"), ("eager", "native")])
def test_every_forward_of_a_decoder_has_a_predicted_cost(engine: str, numerics: str) -> None:
    decoder = SelfSpeculative(4, lookahead=0 if numerics == "locked" else 2)
    model = as_decoded(random_model("sdar", causal_block=4), engine, numerics, Stepwise(), decoder)
    settings = GenerationSettings(gen_length=16, block_length=4, grid="absolute", cache="exact")
    nodes = nodes_made(decoder, settings, model)
    cost = CostModel.measure(model, settings, SPECIAL, [6], nodes, budget_s=0, most_rounds=1)
    for side in (Stepwise(), decoder):
        trace = side.decode(model, [1, 2, 3, 4, 5, 6], settings, SPECIAL).trace
        predicted_s = cost.seconds(trace, 6 + 16)
        assert predicted_s is not None
        assert predicted_s > 0
