"""Coarse arithmetic: a right decoder is never called algorithmic in it, and a wrong one still is."""

import random
from dataclasses import replace
from itertools import product

import pytest
import torch

from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.divergence import NODE_TOLERANCE
from ssd.audit.float64 import ExactModel
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Trace
from ssd.modeling.checkpoint import load_model, resolve
from ssd.speculation.decoder import SelfSpeculative
from tests.coarse import SplitKernels
from tests.effort import LONG, examples
from tests.generations import drawn
from tests.planted import WRONG, RightTokensInAnotherOrder
from tests.restless import restless_model
from tests.tiles import in_tiles

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
PROMPTS = ([5, 17, 31, 8, 44], [9, 2, 2, 50, 33, 21], [40, 13, 7])


@pytest.mark.slow
@pytest.mark.parametrize("kernels", [SplitKernels, in_tiles], ids=lambda kernels: kernels.__name__)
@pytest.mark.parametrize("model_dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_a_right_decoder_in_coarse_arithmetic_is_never_algorithmic(family, model_dtype, kernels):
    """Drawn settings, verify forwards through other kernels than those of stepwise decoding, float64 to judge them."""
    choose, met, special = random.Random(1), [], SpecialTokens(mask_id=63, end_ids=(62, *range(0, 60, 4)))
    for case in range(24):
        if case >= examples(24, 2) and (met or model_dtype != torch.bfloat16):
            break
        generation = replace(drawn(choose), confidence_dtype=choose.choice(("float64", "logits")))
        model = restless_model(family, case, model_dtype, sharpness=choose.choice((0.3, 1.0, 3.0)))
        decoder = right_decoder(choose)
        found = divergence_of(model, kernels(model), generation, PROMPTS[case % 3], decoder, special)
        if found is not None:
            assert found.verdict == "numeric", (generation, found)
            assert found.float64.same_steps
            assert found.float64.node_difference < NODE_TOLERANCE / 1000
            met.append(found.index is None)
    if model_dtype == torch.bfloat16:
        assert met, "this arithmetic is not coarse enough to test anything"


@pytest.mark.slow
@pytest.mark.parametrize("planted", [*WRONG, RightTokensInAnotherOrder], ids=lambda kind: kind.__name__)
def test_wrong_decoders_are_algorithmic_in_coarse_arithmetic_too(family, planted):
    classes = []
    for seed, prompt in product(range(2), PROMPTS[:2]):
        if "algorithmic" in classes and not LONG:
            break
        model, generation = restless_model(family, seed, torch.bfloat16), GenerationSettings(18, block_length=6)
        found = divergence_of(model, SplitKernels(model), generation, prompt, planted(depth=4), SPECIAL)
        classes.append(found and found.verdict)
    assert "algorithmic" in classes
    assert "numeric" not in classes


def right_decoder(choose: random.Random) -> SelfSpeculative | FreeDave:
    """SSD with any of its trees, or FreeDave."""
    if choose.random() < 0.3:
        return FreeDave(choose.choice((2, 4, 8)), choose.choice(("subset", "exact_match")))
    builder = choose.choice(("chain", "kary", "best_first"))
    wide = {} if builder == "chain" else {"width": 2, "budget": choose.choice((3, 5, 9)), "alternatives": True}
    return SelfSpeculative(depth=choose.choice((1, 4, 8)), builder=builder, **wide)


def divergence_of(model, decoding_model, generation, prompt, decoder, special):
    """The divergence of a response, or of its order if the responses are equal."""
    reference = Stepwise().decode(model, prompt, generation, special)
    decoded = decoder.decode(decoding_model, prompt, generation, special)
    compared = (prompt, reference, decoded, decoder)
    judge = Audit(model, generation, special, exact=ExactModel(model))
    return judge.compare(*compared) or judge.compare_order(*compared)


@pytest.mark.slow
def test_a_right_decoder_beside_a_reference_from_a_batch_is_not_algorithmic():
    """The reference's own forwards are rounded otherwise than alone, so it may have another of two near tokens."""
    met, generation, decoder = [], GenerationSettings(gen_length=16, block_length=8), SelfSpeculative(depth=4)
    for seed in range(12):
        if seed >= examples(12) and "algorithmic" in met:
            break
        model, prompt = restless_model("llada", seed, torch.bfloat16), PROMPTS[seed % 3]
        reference = Stepwise().decode(SplitKernels(model, always=True), prompt, generation, SPECIAL)
        decoded = decoder.decode(model, prompt, generation, SPECIAL)
        judge = Audit(model, generation, SPECIAL, exact=ExactModel(model), batched=True)
        found = judge.compare(prompt, reference, decoded, decoder)
        if found is not None:
            assert found.verdict == "numeric", found
            met.append(Audit(model, generation, SPECIAL).compare(prompt, reference, decoded, decoder).verdict)
    assert "algorithmic" in met, "without batched=True it would not be believed"


def test_a_reference_that_no_rounding_explains_is_no_near_tie():
    """Although the decoder gives what stepwise decoding alone gives: the batch must have mixed its responses up."""
    model, prompt, generation = restless_model("llada"), PROMPTS[0], GenerationSettings(gen_length=16, block_length=8)
    decoded = Stepwise().decode(model, prompt, generation, SPECIAL)
    first, *events = decoded.trace.events
    pick = first.picks[0]._replace(token=first.picks[0].token ^ 1)
    response = [pick.token if place == pick.position else token for place, token in enumerate(decoded.response_ids)]
    mixed = replace(decoded, response_ids=response, trace=Trace([first._replace(picks=(pick,)), *events]))
    found = Audit(model, generation, SPECIAL, batched=True).compare(prompt, mixed, decoded, Stepwise())
    assert (found.one_by_one, found.near_tie, found.verdict) == (None, None, "algorithmic")


@pytest.mark.slow
def test_right_decoders_are_never_algorithmic_on_a_trained_model_in_bfloat16():
    model = load_model(resolve("checkpoints/llada_tiny"), "cpu", torch.bfloat16)
    choose, special = random.Random(2), SpecialTokens(mask_id=1, end_ids=(0, 4))
    for _ in range(examples(16, 2)):
        generation = replace(drawn(choose), confidence_dtype=choose.choice(("float64", "logits")))
        prompt = [choose.randrange(5, model.config.vocabulary_size) for _ in range(8)]
        found = divergence_of(model, SplitKernels(model), generation, prompt, right_decoder(choose), special)
        assert found is None or found.verdict == "numeric", (generation, found)
