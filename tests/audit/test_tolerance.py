"""How far rounding may move logits: a few times as far as it is seen to, never beyond the dtype's bound."""

import random
from dataclasses import replace

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.float64 import ExactModel
from ssd.audit.replay import Replay, replay
from ssd.audit.states import LOGIT_TOLERANCE, slack_of
from ssd.decoding.decoder import Decoded
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Pick, Trace
from tests.effort import examples
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
GENERATION = GenerationSettings(gen_length=4, block_length=4)


def prompt_of(seed: int) -> list[int]:
    return random.Random(seed).choices(range(60), k=8)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_only_ties_within_a_few_times_the_noise_are_near(dtype):
    """Twin tokens, ever farther apart, and a response with the wrong twin; the noise is measured here, by hand."""
    ratios = {"numeric": [], "algorithmic": []}
    generation = replace(GENERATION, cache="none")
    for seed in range(examples(12)):
        for distance in (0.5, 2, 8, 32, 128):
            model = restless_model("llada", seed, dtype, sharpness=0.3)
            head = model.transformer.head.weight
            head[1:60:2] = head[0:60:2] * (1 - distance * torch.finfo(dtype).eps)
            reference = Stepwise().decode(model, prompt_of(seed), generation, SPECIAL)
            pick, forged = with_the_first_token_s_twin(reference)
            exact = ExactModel(model)
            found = Audit(model, generation, SPECIAL, exact=exact).compare(
                prompt_of(seed), reference, forged, Stepwise()
            )
            canvas = torch.tensor([[*prompt_of(seed), *[63] * 4]])
            here, there = (side.transformer.logits(canvas)[0, 8:].double() for side in (model, exact.model))
            noise = float((here - there).abs().max())
            assert found.tolerance <= 4.01 * noise
            margin = float(here[pick.position].max() - here[pick.position, pick.token ^ 1])
            ratios[found.verdict].append(margin / noise)
    assert ratios["numeric"]
    assert max(ratios["numeric"]) <= 4.01 <= 8 < max(ratios["algorithmic"])
    assert min(ratios["algorithmic"]) >= 3.99


def with_the_first_token_s_twin(reference: Decoded) -> tuple[Pick, Decoded]:
    """The first pick, and the response as if its twin had been picked."""
    first, *events = reference.trace.events
    pick = first.picks[0]
    twin = pick._replace(token=pick.token ^ 1)
    response = list(reference.response_ids)
    response[pick.position] = twin.token
    return pick, Decoded(response, Trace([first._replace(picks=(twin,)), *events]))


def a_state() -> Replay:
    """The first one of a response whose first pick has been made: one of four rows is masked no more."""
    model = restless_model("llada")
    trace = Stepwise().decode(model, [1, 2, 3], GENERATION, SPECIAL).trace
    return replay(model, GENERATION, SPECIAL, None, [1, 2, 3], trace, 1)


def moved(at: Replay, by: float, rows: torch.Tensor) -> Replay:
    """The state with one logit of each of these rows changed."""
    logits = at.logits.clone()
    logits[rows, 7] += by
    return replace(at, logits=logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_four_times_the_noise_of_the_masked_rows_and_never_more_than_the_bound(dtype):
    at, bound = a_state(), LOGIT_TOLERANCE[dtype]
    for noise, slack in ((0.0, 0.0), (bound / 16, bound / 4), (bound / 3, bound), (torch.inf, bound)):
        assert slack_of(GENERATION, dtype, at, moved(at, noise, at.masked[0])) == pytest.approx(slack, rel=1e-6)
    assert slack_of(GENERATION, dtype, at, moved(at, 1.0, ~at.masked[0])) == 0
    assert slack_of(GENERATION, dtype, at, None) == bound


@pytest.mark.parametrize(("dtype", "times"), [(torch.bfloat16, 100), (torch.float16, 100), (torch.float32, 5000)])
def test_no_bound_lies_far_above_the_noise_that_a_model_shows(family, dtype, times):
    canvas = torch.tensor([[*prompt_of(0), *[63] * 16]])
    model = restless_model(family, 0, dtype)
    here, there = (side.transformer.logits(canvas).double() for side in (model, ExactModel(model).model))
    noise = float((here - there).abs().max())
    assert LOGIT_TOLERANCE[dtype] < times * noise, noise


def test_tokens_sampled_in_the_dtype_of_the_logits_are_rounded_once_more():
    at = a_state()
    sampled = replace(GENERATION, temperature=0.7, confidence_dtype="logits")
    largest = float(at.logits[at.masked[0]].abs().max())
    assert slack_of(sampled, torch.float16, at, at) == pytest.approx(min(0.05, largest / 2**10))


def test_in_float64_there_is_only_the_bound():
    at = a_state()
    assert slack_of(GENERATION, torch.float64, at, at) == LOGIT_TOLERANCE[torch.float64]
