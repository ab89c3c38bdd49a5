"""Stepwise decoding against independent references: a naive uncached decoder, and cached forwards written by hand."""

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.effort import some
from tests.models import FAMILIES, random_model
from tests.naive import naive_cached, naive_stepwise
from tests.traces import steps as picks_of

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("block_length", "per_step"), [(4, 1), (8, 2), (12, 3), (1, 1)])
def test_uncached_stepwise_is_the_naive_decoder(family, block_length, per_step):
    for seed in some(range(5), 3):
        model = random_model(family, seed, sharpness=3.0)
        prompt = torch.randint(0, 60, (5 + seed,), generator=torch.Generator().manual_seed(seed)).tolist()
        steps = 24 // block_length * -(-block_length // per_step)
        settings = GenerationSettings(gen_length=24, block_length=block_length, steps=steps, cache="none")
        decoded = Stepwise().decode(model, prompt, settings, SPECIAL)
        response, picks = naive_stepwise(model.transformer, prompt, 24, block_length, lambda _: per_step)
        assert decoded.response_ids == response
        assert picks_of(decoded.trace) == picks
        assert decoded.trace.nfe == steps


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cache", ["prefix", "dual"])
@pytest.mark.parametrize("block_start", ["commit_first", "ranked"])
def test_cached_stepwise_is_the_caching_loop_by_hand(family, cache, block_start):
    model = random_model(family, seed=3, sharpness=3.0)
    settings = GenerationSettings(gen_length=16, block_length=8, cache=cache, block_start=block_start)
    prompt = [5, 17, 40, 2, 33]
    decoded = Stepwise().decode(model, prompt, settings, SPECIAL)
    response, picks = naive_cached(model.transformer, prompt, settings, lambda _: 1)
    assert decoded.response_ids == response
    assert picks_of(decoded.trace) == picks
    assert decoded.trace.nfe_by_kind == {"refresh": 2, "decode": 14, "verify": 0, "verifier": 0}


def test_stop_rule_ends_after_a_block_of_end_tokens_and_counts_the_fill_apart():
    model = random_model("llada", seed=0)
    head = torch.zeros_like(model.transformer.head.weight)
    head[61] = model.transformer.head.weight[61]
    model.transformer.head.weight = torch.nn.Parameter(head * 0, requires_grad=False)
    # All logits are equal, so every pick is the lowest id: make that one an end token.
    special = SpecialTokens(mask_id=63, end_ids=(9, 0))
    settings = GenerationSettings(gen_length=12, block_length=4, stop="eos_block")
    decoded = Stepwise().decode(model, [1, 2], settings, special)
    assert decoded.response_ids == [0, 0, 0, 0] + [9] * 8
    assert decoded.trace.filled == 8
    assert decoded.trace.nfe == 4
    assert [pick.position for pick in decoded.trace.picks] == [0, 1, 2, 3], "ties go to the lower position"


@pytest.mark.parametrize("family", FAMILIES)
def test_eos_policies(family):
    model = random_model(family, seed=1, sharpness=0.0)
    # Without any preference of the model, the lowest id (an end token here) is the argmax everywhere.
    special = SpecialTokens(mask_id=63, end_ids=(0, 1))

    def tokens(policy):
        settings = GenerationSettings(gen_length=4, block_length=4, eos=policy, cache="none")
        return Stepwise().decode(model, [7, 8], settings, special)

    assert tokens("keep").response_ids == [0] * 4
    assert tokens("suppress_logits").response_ids == [1] * 4, "only EOS itself is suppressed"
    suppressed = tokens("suppress_confidence")
    assert suppressed.response_ids == [0] * 4
    assert all(pick.confidence < -1e300 for pick in suppressed.trace.picks), "end tokens are picked last"


@pytest.mark.parametrize(
    ("prompt", "gen_length", "message"),
    [
        ([], 8, "prompt is empty"),
        ([1, 63, 2], 8, "mask id 63 at position 1"),
        ([1, 64], 8, "prompt id 64 is outside the model's vocabulary of 64"),
        ([1] * 121, 8, "a prompt of 121 tokens .* need 129 positions, the model's context has 128"),
    ],
)
def test_prompts_that_cannot_be_decoded(prompt, gen_length, message):
    settings = GenerationSettings(gen_length=gen_length, block_length=4)
    with pytest.raises(ValueError, match=message):
        Stepwise().decode(random_model("llada"), prompt, settings, SPECIAL)
