"""The audit: right decoders are identical, wrong ones are caught, and rounding is told from a bug."""

import json
import random
from dataclasses import replace
from functools import cache as remembered
from itertools import product

import pytest
import torch

from baselines.fast_dllm import FastDLLM
from baselines.psd import ParallelSelfSpeculative
from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.divergence import first_difference, first_parting
from ssd.audit.states import LOGIT_TOLERANCE
from ssd.decoding.decoder import Decoded
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Pick, Trace
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import Window
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import LONG, examples
from tests.models import FAMILIES
from tests.planted import WRONG, BelievesAll, DraftsBeyondTheBlock, NeverRefreshes
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
CACHES = ("none", "prefix", "dual")
CHAIN = SelfSpeculative(depth=4)
SEEDS = 8 if LONG else 2


def prompts(count: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 60, (5 + place,), generator=generator).tolist() for place in range(count)]


def settings(cache: str = "dual", **changes) -> GenerationSettings:
    return GenerationSettings(**({"gen_length": 16, "block_length": 8, "cache": cache} | changes))


model_of = remembered(restless_model)


@remembered
def stepwise(model, generation, prompt, special):
    """Planted decoders have the same mistake to make beside the same reference."""
    return Stepwise().decode(model, prompt, generation, special)


def audit(model, generation, prompt, decoder, decoding_model=None, special=SPECIAL):
    """Reference, response and verdict of one prompt."""
    by = decoder.reference or Stepwise()
    if by.commit is None:
        reference = stepwise(model, generation, tuple(prompt), special)
    else:
        reference = by.decode(model, prompt, generation, special)
    decoded = decoder.decode(decoding_model or model, prompt, generation, special)
    return reference, decoded, Audit(model, generation, special, by.commit).compare(prompt, reference, decoded, decoder)


def shape_of(planted: type) -> dict[str, int]:
    """Three blocks where the second one would not show the mistake for what it is."""
    return {"gen_length": 12, "block_length": 4} if planted is NeverRefreshes else {}


class Noisy(MaskedDiffusionModel):
    """What coarse arithmetic does: the logits of a forward over several nodes move a little, by `scale` at most."""

    def __init__(self, model: MaskedDiffusionModel, scale: float, seed: int = 0) -> None:
        self.transformer, self.config = model.transformer, model.config
        self.scale, self.generator = scale, torch.Generator().manual_seed(seed)

    def window(self, states, window, context=None):
        logits = super().window(states, window, context)
        if states.shape[0] == 1:
            return logits
        return logits + self.scale * (2 * torch.rand(logits.shape, generator=self.generator) - 1).to(logits.dtype)


@pytest.mark.parametrize("cache", CACHES)
def test_equal_responses_have_no_divergence(family, cache):
    model = restless_model(family, dtype=torch.float32)
    for prompt in prompts(2):
        reference, decoded, divergence = audit(model, settings(cache), prompt, CHAIN)
        assert reference.response_ids == decoded.response_ids
        assert divergence is None


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize(("dtype", "temperature"), [(torch.float64, 0.0), (torch.float32, 0.0), (torch.float32, 0.7)])
@pytest.mark.parametrize("planted", WRONG, ids=lambda kind: kind.__name__)
def test_planted_wrong_decoders_are_graded_algorithmic(family, planted, cache, dtype, temperature):
    assert_caught(planted(depth=4), settings(cache, **shape_of(planted), temperature=temperature), family, dtype)


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("planted", WRONG, ids=lambda kind: kind.__name__)
def test_the_same_mistakes_over_a_threshold_are_graded_algorithmic(family, planted, cache, temperature):
    decoder = type(planted.__name__, (planted, ParallelSelfSpeculative), {})(threshold=0.7, depth=4)
    assert_caught(decoder, settings(cache, **shape_of(planted), temperature=temperature), family)


def assert_caught(decoder, generation, family, dtype=torch.float64):
    """Every divergence of some responses is algorithmic, and there is one."""
    caught = 0
    for seed, prompt in product(range(2), prompts(2)):
        if caught and not LONG:
            break
        reference, decoded, divergence = audit(model_of(family, seed, dtype), generation, prompt, decoder)
        assert (divergence is None) == (reference.response_ids == decoded.response_ids)
        if divergence is not None:
            assert divergence.verdict == "algorithmic"
            caught += 1
    assert caught


@pytest.mark.parametrize("cache", CACHES[1:])
def test_drafts_beyond_the_block_are_graded_algorithmic(family, cache):
    """Not without a cache, where the next block's tokens are what they would be after a refresh."""
    assert_caught(DraftsBeyondTheBlock(draft_steps=5, eager=True), settings(cache), family)


def test_a_wrong_decoder_stays_algorithmic_where_every_margin_is_narrow(family):
    """With all logits nearly equal margins say nothing; evaluating the nodes one by one still tells."""
    found = 0
    for seed in range(SEEDS):
        model = restless_model(family, seed, torch.float32, sharpness=1e-5)
        for prompt in prompts(2):
            _, _, divergence = audit(model, settings(), prompt, BelievesAll(depth=4))
            if divergence is not None and divergence.token_margin is not None:
                assert divergence.token_margin <= divergence.tolerance
                assert divergence.verdict == "algorithmic"
                found += 1
    assert found


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float64, 1e-11), (torch.float32, 1e-6)], ids=str)
@pytest.mark.parametrize("cache", CACHES)
def test_rounding_between_twin_tokens_is_numeric(family, cache, dtype, scale):
    """Every second token has the logits of the one before it, so that the least noise decides between the two."""
    found = 0
    for seed in range(SEEDS):
        model = restless_model(family, seed, dtype)
        model.transformer.head.weight[1:60:2] = model.transformer.head.weight[0:60:2]
        for prompt in prompts(2 if LONG else 1):
            reference, decoded, divergence = audit(model, settings(cache), prompt, CHAIN, Noisy(model, scale))
            if divergence is not None:
                expected = reference.trace.picks[divergence.step]
                other = decoded.trace.picks[divergence.step]
                assert divergence.verdict == "numeric", divergence
                assert expected.position == other.position
                assert {expected.token, other.token} == {expected.token // 2 * 2, expected.token // 2 * 2 + 1}
                assert divergence.token_margin <= 100 * scale
                found += 1
    assert found


@pytest.mark.parametrize("cache", CACHES)
def test_rounding_between_an_end_token_and_its_twin_is_numeric(family, cache):
    """Where end tokens are put last, the least noise between one and its twin moves a position through the order."""
    special = SpecialTokens(mask_id=63, end_ids=(62, *range(1, 60, 8)))
    verdicts = []
    for seed in range(SEEDS):
        model = restless_model(family, seed, torch.float32)
        model.transformer.head.weight[1:60:2] = model.transformer.head.weight[0:60:2]
        for prompt in prompts(3 if LONG else 1):
            generation = settings(cache, eos="suppress_confidence")
            _, _, divergence = audit(model, generation, prompt, CHAIN, Noisy(model, 1e-6), special)
            if divergence is not None:
                verdicts.append(divergence.verdict)
    assert verdicts
    assert set(verdicts) == {"numeric"}


@pytest.mark.slow
def test_rounding_between_twin_positions_is_numeric():
    """Noise that only changes which position comes first: token and confidence are as good as equal."""
    found = 0
    for seed in range(6):
        model = restless_model("llada", seed, torch.float32, sharpness=0.03)
        if found and not LONG:
            break
        for prompt in prompts(2):
            reference, decoded, divergence = audit(model, settings(), prompt, CHAIN, Noisy(model, 2e-4))
            if divergence is not None:
                expected = reference.trace.picks[divergence.step]
                other = decoded.trace.picks[divergence.step]
                if expected.position != other.position:
                    assert divergence.verdict == "numeric", divergence
                    assert divergence.position_margin < 2e-4
                    assert divergence.token_margin <= divergence.tolerance
                    found += 1
    assert found


@pytest.mark.slow
def test_rounding_beside_a_threshold_is_numeric(family):
    """Thresholds that are some token's very probability, so that the least noise keeps it out of its step."""
    found, generation = [], settings("none", block_length=16)
    for seed in range(4):
        model, prompt = restless_model(family, seed, torch.float32), prompts(1)[0]
        parallel = FastDLLM(threshold=0.4).decode(model, prompt, generation, SPECIAL)
        for threshold in [pick.confidence for event in parallel.trace.events[1:] for pick in event.picks[1:]]:
            decoder = ParallelSelfSpeculative(threshold=threshold, depth=4)
            _, _, divergence = audit(model, generation, prompt, decoder, Noisy(model, 1e-6))
            if divergence is not None:
                found.append((divergence.verdict, divergence.near_tie))
    assert found
    assert set(found) == {("numeric", "count")}


LLADA_OR_DREAM = ("low_confidence", "maskgit_plus")
SAMPLED = {"ranking": LLADA_OR_DREAM, "temperature": (0.7, 1.2)}
THRESHOLDS = [{"threshold": 0.2}, {"rule": "factor", "factor": 1.5}]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tie", "seed", "rules", "options"),
    [
        ("pick", 0, [None], {"ranking": (*LLADA_OR_DREAM, "topk_margin", "entropy"), "steps": (None, 8)}),
        ("confidence", 0, [None], SAMPLED),
        ("confidence", 8, [None], {"eos": ("suppress_confidence",)}),
        ("nucleus", 0, [None], SAMPLED | {"top_p": (0.8, 0.9)}),
        ("nucleus", 1, [None], SAMPLED | {"top_k": (3, 5), "ranking": ("random", "topk_margin", "entropy")}),
        ("count", 19, THRESHOLDS, {"ranking": ("topk_margin", "entropy")}),
        ("count", 0, THRESHOLDS, SAMPLED),
    ],
)
def test_no_rounding_within_the_tolerance_makes_a_right_decoder_algorithmic(tie, seed, rules, options, monkeypatch):
    """Arithmetic as coarse as bfloat16's, so that a few short responses meet every kind of near tie.

    seed: of cases that meet theirs soon.
    """
    monkeypatch.setitem(LOGIT_TOLERANCE, torch.float64, 0.25)
    choose, met = random.Random(seed), set()
    special = SpecialTokens(mask_id=63, end_ids=(62, *range(0, 60, 4)))
    for case in range(40):
        if case >= examples(32, 2) and tie in met:
            break
        rule, changes = choose.choice(rules), {name: choose.choice(values) for name, values in options.items()}
        generation = settings(choose.choice(CACHES), seed=case, **changes)
        model = restless_model(choose.choice(FAMILIES), case % 10, sharpness=choose.choice((1.0, 3.0)))
        decoder = CHAIN if rule is None else ParallelSelfSpeculative(**rule, depth=4)
        _, _, divergence = audit(model, generation, prompts(3)[case % 3], decoder, Noisy(model, 0.125, case), special)
        if divergence is not None:
            assert divergence.verdict == "numeric", (generation, divergence)
            met.add(divergence.near_tie)
    assert tie in met


def test_noise_beyond_the_tolerance_is_no_rounding():
    """Although the nodes one by one give the reference's response: something mixes the rows of a forward."""
    verdicts = []
    for seed in range(SEEDS):
        model = restless_model("llada", seed, torch.float32)
        for prompt in prompts(2):
            _, _, divergence = audit(model, settings(), prompt, CHAIN, Noisy(model, 3.0))
            if divergence is not None:
                verdicts.append(divergence.verdict)
                if divergence.verdict == "numeric":
                    assert divergence.token_margin <= LOGIT_TOLERANCE[torch.float32]
    assert verdicts.count("algorithmic") > len(verdicts) / 2


@pytest.mark.parametrize(("block_start", "per_step"), [("ranked", 1), ("ranked", 2), ("commit_first", 1)])
@pytest.mark.parametrize("cache", CACHES)
def test_margins_are_those_of_the_state_before_the_divergence(family, cache, block_start, per_step):
    """Against logits of that state computed here, with the model's own calls and no part of the decoding loop."""
    checked = 0
    for seed in range(SEEDS):
        model = model_of(family, seed)
        generation = settings(cache, block_start=block_start, steps=16 // per_step)
        for prompt in prompts(2):
            reference, decoded, divergence = audit(model, generation, prompt, BelievesAll(depth=4))
            if divergence is None:
                continue
            step, expected, other = first_parting(reference.trace, decoded.trace)
            assert divergence.step == step
            if expected.position // 8 != other.position // 8:
                continue
            seen = step // per_step * per_step  # picks of one step come from the same logits, in no order that matters
            assert {pick[:2] for pick in reference.trace.picks[:seen]} == {p[:2] for p in decoded.trace.picks[:seen]}
            assert other[:2] not in [pick[:2] for pick in reference.trace.picks[seen : seen + per_step]]
            assert divergence.index == first_difference(reference.response_ids, decoded.response_ids)
            committed = sum(len(event.picks) for event in decoded.trace.events[: divergence.forward])
            assert committed <= step < committed + len(decoded.trace.events[divergence.forward].picks)

            logits = logits_by_hand(model, prompt, reference.trace.picks[:seen], seen // 8 * 8, generation)
            logits[:, 63] = -torch.inf
            row = logits[other.position % 8]
            assert divergence.token_margin == pytest.approx(float(row.max() - row[other.token]), abs=1e-9)
            sure = logits.softmax(dim=-1).amax(dim=-1)
            gap = float((sure[expected.position % 8] - sure[other.position % 8]).abs())
            assert divergence.position_margin == pytest.approx(gap, abs=1e-9)
            checked += 1
    assert checked


def logits_by_hand(model, prompt, picks, start, generation):
    """Logits [block, vocabulary] after `picks`, for the block that begins at response position `start`."""
    canvas = torch.tensor(prompt + [63] * 16)
    first, stop = len(prompt) + start, len(prompt) + start + 8
    for pick in picks:
        if pick.position < start:
            canvas[len(prompt) + pick.position] = pick.token
    opened = canvas.clone()
    for pick in picks:
        canvas[len(prompt) + pick.position] = pick.token
    if generation.cache == "none" or torch.equal(opened, canvas):
        with torch.no_grad():
            return model.transformer.logits(canvas[None])[0, first:stop]
    shift = model.config.logits_shift
    # The block's first position is predicted from the one before it, or was committed when the block was opened.
    left, row = (first - shift, first) if generation.block_start == "ranked" else (first, first + shift)
    right = stop if generation.cache == "dual" else len(canvas)
    window = Window(left, right, row, stop, len(canvas))
    _, context = model.refresh(opened, replace(window, first_row=first))
    logits = torch.zeros(8, 64, dtype=model.dtype)
    logits[row - first :] = model.window(canvas[None, left:right], window, context)[0]
    return logits


def test_a_response_that_its_own_trace_does_not_explain_is_algorithmic():
    model, prompt = restless_model("llada"), prompts(1)[0]
    reference = Stepwise().decode(model, prompt, settings(), SPECIAL)
    forged = Decoded([*reference.response_ids[:9], 7, *reference.response_ids[10:]], reference.trace)
    assert forged.response_ids != reference.response_ids
    divergence = Audit(model, settings(), SPECIAL).compare(prompt, reference, forged, Stepwise())
    assert (divergence.index, divergence.verdict) == (9, "algorithmic")
    assert divergence.token_margin is None
    assert divergence.position_margin is None


def test_a_pick_outside_the_block_has_no_margin_and_is_still_valid_json():
    model, prompt = restless_model("llada"), prompts(1)[0]
    reference = Stepwise().decode(model, prompt, settings(), SPECIAL)
    early = replace(reference, trace=Trace([Event("decode", 0, 0, 1, 8, (Pick(12, 5, 0.5),)), *reference.trace.events]))
    early = replace(early, response_ids=[60, *reference.response_ids[1:]])
    divergence = Audit(model, settings(), SPECIAL).compare(prompt, reference, early, Stepwise())
    assert divergence.verdict == "algorithmic"
    line = json.loads(json.dumps(divergence.to_json(), allow_nan=False))
    assert line["class"] == "algorithmic"
    assert line["token_margin"] is line["position_margin"] is None
    assert set(line) >= {"index", "step", "forward", "tolerance"}


@pytest.mark.parametrize(
    ("expected", "found", "index"),
    [([1, 2, 3], [1, 2, 3], None), ([1, 2, 3], [1, 9, 3], 1), ([1, 2], [1, 2, 3], 2), ([1], [], 0), ([], [], None)],
)
def test_first_difference(expected, found, index):
    assert first_difference(expected, found) == index
