"""Fast-dLLM against naive decoders written apart from it, and against stepwise decoding where nothing passes."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from baselines.fast_dllm import FastDLLM
from baselines.rules.localleap import LocalLeap
from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.effort import examples, some
from tests.generations import generations
from tests.models import FAMILIES, tiny_config
from tests.naive import naive_cached, naive_stepwise
from tests.restless import restless_model
from tests.traces import steps
from tests.unshakable import Unshakable

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
restless = lru_cache(maxsize=8)(restless_model)
DECODERS = (
    FastDLLM(threshold=0.5),
    FastDLLM(threshold=0.8),
    FastDLLM("factor", factor=0.9),
    FastDLLM("factor", factor=2),
)


def counts(decoder: FastDLLM) -> Callable[[list[float]], int]:
    """How many of a step's confidences, highest first, the decoder commits: in the words of the paper."""

    def threshold(confidences: list[float]) -> int:
        return max(1, sum(confidence >= decoder.commit.threshold for confidence in confidences))

    def factor(confidences: list[float]) -> int:
        n = 1
        while n < len(confidences) and confidences[n] >= 1 - decoder.commit.factor / (n + 2):
            n += 1
        return n

    return threshold if hasattr(decoder.commit, "threshold") else factor


def prompts(count: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 60, (3 + place,), generator=generator).tolist() for place in range(count)]


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
@pytest.mark.parametrize("block_length", [4, 12])
def test_uncached_it_is_the_naive_decoder(family, block_length, decoder):
    sizes = set()
    for seed, prompt in enumerate(prompts(4)):
        model = restless(family, seed, sharpness=6.0)
        generation = GenerationSettings(gen_length=24, block_length=block_length, cache="none")
        decoded = decoder.decode(model, prompt, generation, SPECIAL)
        response, picks = naive_stepwise(model.transformer, prompt, 24, block_length, counts(decoder))
        assert decoded.response_ids == response
        assert steps(decoded.trace) == picks
        assert decoded.trace.nfe_by_kind == {"refresh": 0, "decode": len(picks), "verify": 0, "verifier": 0}
        sizes |= {len(step) for step in picks}
    assert 1 in sizes
    assert max(sizes) > 2


@pytest.mark.parametrize("decoder", DECODERS, ids=str)
@pytest.mark.parametrize("cache", ["prefix", "dual"])
@pytest.mark.parametrize("block_start", ["commit_first", "ranked"])
def test_cached_it_is_the_caching_loop_by_hand(family, cache, block_start, decoder):
    for seed, prompt in enumerate(prompts(3)):
        model = restless(family, seed, sharpness=6.0)
        generation = GenerationSettings(gen_length=24, block_length=8, cache=cache, block_start=block_start)
        decoded = decoder.decode(model, prompt, generation, SPECIAL)
        response, picks = naive_cached(model.transformer, prompt, generation, counts(decoder))
        assert decoded.response_ids == response
        assert steps(decoded.trace) == picks
        assert decoded.trace.nfe_by_kind["refresh"] == 3
        if family == "dream" and block_start == "commit_first":
            opened = [event.picks for event in decoded.trace.events if event.kind == "refresh"]
            assert [[pick.position for pick in picks] for picks in opened] == [[0], [8], [16]]


@settings(
    max_examples=examples(60, thinner=2), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(family=st.sampled_from(FAMILIES), seed=st.integers(0, 50), generation=generations())
@pytest.mark.slow
def test_a_threshold_that_nothing_reaches_is_stepwise_decoding(family, seed, generation):
    assume(generation.ranking != "origin")  # its own steps commit any number of picks
    model, prompt = restless_model(family, seed), prompts(seed % 5 + 1)[-1]
    one_by_one = replace(generation, steps=None, schedule="uniform")
    reference = Stepwise().decode(model, prompt, one_by_one, SPECIAL)
    decoded = FastDLLM(threshold=1.1).decode(model, prompt, generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert steps(decoded.trace) == steps(reference.trace)


@pytest.mark.parametrize("option", ["threshold", "factor"])
@pytest.mark.slow
def test_a_laxer_rule_never_needs_more_forwards_of_a_model_that_never_changes_its_mind(option):
    generation = GenerationSettings(gen_length=32, block_length=16, cache="none")
    spent = set()
    for seed in range(5):
        model = Unshakable(seed)
        laxer = (
            [1.01, 0.95, 0.9, 0.7, 0.5, 0.3, 0.1] if option == "threshold" else [0.01, 0.3, 0.6, 1.0, 2.0, 4.0, 16.0]
        )
        nfe = [
            FastDLLM(option, **{option: value}).decode(model, [1, 2], generation, SPECIAL).trace.nfe for value in laxer
        ]
        assert nfe == sorted(nfe, reverse=True)
        assert (nfe[0], nfe[-1]) == (32, 2)
        spent |= set(nfe)
    assert len(spent) > 7


def test_a_model_that_never_changes_its_mind_is_asked_once_for_all_that_passes():
    """One forward for the first pick and all that reach the threshold, one for every other token."""
    generation = GenerationSettings(gen_length=16, block_length=16, cache="none")
    for seed in range(5):
        model = Unshakable(seed)
        logits = model.logits[2:18].clone()
        logits[:, 63] = -torch.inf
        sure = int((logits.softmax(dim=-1).amax(dim=-1) >= 0.7).sum())
        decoded = FastDLLM(threshold=0.7).decode(model, [1, 2], generation, SPECIAL)
        assert sure > 1
        assert [len(step) for step in steps(decoded.trace)] == [sure] + [1] * (16 - sure)


def test_global_scope_takes_the_response_for_one_block(family):
    decoder, differs = FastDLLM(threshold=0.6, scope="global"), False
    for seed, prompt in enumerate(prompts(4)):
        model = restless_model(family, seed, sharpness=6.0)
        blockwise = GenerationSettings(gen_length=24, block_length=4, steps=6, cache="none", ranking="maskgit_plus")
        whole = replace(blockwise, block_length=24, steps=None)
        decoded = decoder.decode(model, prompt, blockwise, SPECIAL)
        expected = FastDLLM(threshold=0.6).decode(model, prompt, whole, SPECIAL)
        assert decoded == expected
        differs |= decoded != FastDLLM(threshold=0.6).decode(model, prompt, blockwise, SPECIAL)
    assert differs


def published_count(threshold: float, per_step: int) -> Callable[[list[float]], int]:
    """How many confidences, highest first, each step of the published Dream code commits, in that code's own words."""
    left = 0

    def count(confidences: list[float]) -> int:
        nonlocal left
        candidates = confidences[: per_step + left]
        committed = max(1, sum(confidence >= threshold for confidence in candidates))
        left += per_step - committed
        return committed

    return count


@pytest.mark.parametrize("candidates", [1, 3, 8])
def test_with_candidates_global_scope_is_the_published_loop_for_dream(candidates):
    forwards = set()
    for seed, prompt in some(enumerate(prompts(4)), 2):
        model = restless_model("dream", seed, sharpness=6.0)
        generation = GenerationSettings(gen_length=24, block_length=8, cache="none", ranking="maskgit_plus")
        decoder = FastDLLM(threshold=0.3, scope="global", candidates=candidates)
        count = published_count(0.3, candidates)
        response, picks = naive_stepwise(model.transformer, prompt, 24, 24, count)
        for _ in range(2):  # the second response begins with no steps made
            decoded = decoder.decode(model, prompt, generation, SPECIAL)
            assert decoded.response_ids == response
            assert steps(decoded.trace) == picks
        forwards.add(decoded.trace.nfe)
        assert len(picks) >= 24 / candidates
        uncapped = FastDLLM(threshold=0.3, scope="global").decode(model, prompt, generation, SPECIAL)
        assert decoded.trace.nfe >= uncapped.trace.nfe
    assert forwards == {24} or candidates > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "margin"}, "decoder.rule='margin': expected one of threshold, factor"),
        ({"threshold": 0}, "decoder.threshold=0: expected a number above 0"),
        ({"threshold": None}, "decoder.threshold=None: expected a number above 0"),
        ({"factor": -1.0}, "decoder.factor=-1.0: expected a number above 0"),
        ({"threshold": True}, "decoder.threshold=True: expected a number above 0"),
        ({"factor": "1"}, "decoder.factor=1: expected a number above 0"),
        ({"factor": float("nan")}, "decoder.factor=nan: expected a number above 0"),
        (
            {"threshold": 0.5, "commit": LocalLeap()},
            "decoder.threshold=0.5 has no effect with a rule of decoder/commit; pass",
        ),
        (
            {"scope": "global", "candidates": 4, "commit": LocalLeap()},
            "decoder.candidates=4 with decoder.commit: pass decoder.candidates=null",
        ),
        ({"scope": "sentence"}, "decoder.scope='sentence': expected one of block, global"),
        ({"candidates": 0, "scope": "global"}, "decoder.candidates=0: expected null or a whole number of at least 1"),
        ({"candidates": 4}, "decoder.candidates=4 with decoder.scope=block: pass decoder.scope=global"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        FastDLLM(**options)


@pytest.mark.parametrize("cache", ["none", "prefix", "dual"])
def test_global_scope_is_refused_beside_a_cache(cache):
    generation, config = GenerationSettings(cache=cache), tiny_config("dream")
    FastDLLM(scope="block").check(generation, config)
    if cache == "none":
        FastDLLM(scope="global").check(generation, config)
        return
    with pytest.raises(ValueError, match=f"decoder.scope=global with generation.cache={cache}: "):
        FastDLLM(scope="global").check(generation, config)
