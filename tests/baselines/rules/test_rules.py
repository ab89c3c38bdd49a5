"""Each commit rule against its naive form, and in the limits in which it is another decoder."""

import math
from functools import lru_cache

import pytest
import torch

from baselines.fast_dllm import FastDLLM
from baselines.rules.credit import CreditDecoding
from baselines.rules.eb import EntropyBounded
from baselines.rules.hierarchical import Hierarchical
from baselines.rules.klass import KLASS
from baselines.rules.localleap import LocalLeap
from baselines.stepwise import Stepwise
from ssd.decoding.commit_rule import CommitRule, Signals
from ssd.decoding.scoring import entropy
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests import naive_rules as naive
from tests.restless import restless_model
from tests.traces import steps

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
restless = lru_cache(maxsize=8)(restless_model)
NAIVE = [
    (EntropyBounded(0.5), naive.entropy_bounded(0.5)),
    (EntropyBounded(1.5), naive.entropy_bounded(1.5)),
    (KLASS(0.3, 0.5, 2, "block"), naive.klass(0.3, 0.5, 2)),
    (KLASS(0.3, 1.0, 1, "block"), naive.klass(0.3, 1.0, 1)),
    (KLASS(0.2, 1.0, 3, "block"), naive.klass(0.2, 1.0, 3)),
    (CreditDecoding(0.6), naive.credit(0.6, 0.7, 0.8, 0.2)),
    (CreditDecoding(0.9, 2.0, 0.5, 1.0), naive.credit(0.9, 2.0, 0.5, 1.0)),
    (CreditDecoding(0.8, schedule="progress"), naive.credit(0.8, 0, 0, 0, length=12)),
    (LocalLeap(0.7, 0.2, 2), naive.local_leap(0.7, 0.2, 2)),
    (Hierarchical(0.8, 0.3), naive.hierarchical(0.8, 0.3)),
]


@pytest.mark.parametrize(("rule", "begin"), NAIVE, ids=[str(rule) for rule, _ in NAIVE])
def test_uncached_a_rule_is_its_naive_form(family, rule, begin):
    sizes = set()
    for seed, block_length in enumerate((6, 12)):
        if getattr(rule, "schedule", None) == "progress":
            block_length = 12
        model = restless(family, seed, sharpness=5.0)
        generation = GenerationSettings(gen_length=12, block_length=block_length, cache="none")
        decoded = FastDLLM(commit=rule).decode(model, [1, 2, 3 + seed], generation, SPECIAL)
        response, picks = naive.naive_rule(model.transformer, [1, 2, 3 + seed], 12, block_length, begin)
        assert decoded.response_ids == response
        assert steps(decoded.trace) == picks
        sizes |= {len(step) for step in picks}
    assert len(sizes) > 1, "the case shows nothing"


@pytest.mark.parametrize("history", [1, 2, 3])
def test_uncached_klass_remembers_the_block_before(family, history):
    """As published: nothing is forgotten, and the first history - 1 steps of every block pass nothing."""
    differs = 0
    for seed in range(3):
        model = restless(family, seed, sharpness=5.0)
        generation = GenerationSettings(gen_length=12, block_length=4, cache="none")
        auto, block = (
            FastDLLM(commit=KLASS(0.2, 1.0, history, scope)).decode(model, [1, 2, 3], generation, SPECIAL)
            for scope in ("auto", "block")
        )
        begin = naive.klass(0.2, 1.0, history, of_response=True)
        response, picks = naive.naive_rule(model.transformer, [1, 2, 3], 12, 4, begin)
        assert (auto.response_ids, steps(auto.trace)) == (response, picks)
        differs += steps(auto.trace) != steps(block.trace)
    assert differs, "the case shows nothing"


def test_klass_cannot_remember_rows_that_are_not_computed():
    rule = KLASS(history_scope="response")
    rule.check(GenerationSettings(cache="none"))
    with pytest.raises(
        ValueError,
        match=r"decoder\.commit\.history_scope=response with generation\.cache=dual and generation\.grid=prompt",
    ):
        rule.check(GenerationSettings(cache="dual"))


def test_with_steps_of_several_tokens_klass_falls_back_to_as_many(family):
    model = restless(family, 1, sharpness=5.0)
    generation = GenerationSettings(gen_length=12, block_length=6, cache="none", steps=6)
    rule = KLASS(0.3, 0.5, history_scope="block")
    decoded = FastDLLM(commit=rule).decode(model, [1, 2, 3], generation, SPECIAL)
    response, picks = naive.naive_rule(model.transformer, [1, 2, 3], 12, 6, naive.klass(0.3, 0.5, 2, least=2))
    assert (decoded.response_ids, steps(decoded.trace)) == (response, picks)
    uneven = GenerationSettings(gen_length=12, block_length=6, steps=8)
    with pytest.raises(ValueError, match=r"generation\.steps=8 with commit rule KLASS .*: expected a divisor of"):
        KLASS().check(uneven)


STEPWISE = [
    EntropyBounded(-1),
    KLASS(threshold=1.1),
    CreditDecoding(threshold=1.1, alpha=0),
    LocalLeap(threshold=1.1),
    Hierarchical(threshold=1.1, low=1),
]
FAST_DLLM = [
    KLASS(0.4, math.inf, 1),
    CreditDecoding(0.4, alpha=0),
    LocalLeap(0.4, 0.1, 0),
    LocalLeap(0.4, 0.4, 3),
    Hierarchical(0.4, 1.0),
]
SETTINGS = [
    GenerationSettings(gen_length=12, block_length=6, cache="none"),
    GenerationSettings(gen_length=12, block_length=12, temperature=0.7),
    GenerationSettings(gen_length=12, block_length=6, cache="prefix", sub_block_length=3, eos="suppress_confidence"),
    GenerationSettings(gen_length=12, block_length=4, ranking="maskgit_plus", temperature=0.5, top_p=0.9),
]


def assert_equal(decoder, expected, family, generation) -> int:
    """The same response in the same steps; returns the number of forwards."""
    model = restless_model(family, 2, sharpness=5.0)
    found, wanted = (each.decode(model, [1, 2, 3], generation, SPECIAL) for each in (decoder, expected))
    assert found.response_ids == wanted.response_ids
    assert steps(found.trace) == steps(wanted.trace)
    return found.trace.nfe


@pytest.mark.parametrize("generation", SETTINGS, ids=["plain", "sampled", "sub-blocks", "dream's"])
@pytest.mark.parametrize("rule", STEPWISE, ids=str)
def test_a_bound_that_nothing_passes_is_stepwise_decoding(family, rule, generation):
    assert assert_equal(FastDLLM(commit=rule), Stepwise(), family, generation) >= 12


@pytest.mark.parametrize("generation", SETTINGS, ids=["plain", "sampled", "sub-blocks", "dream's"])
@pytest.mark.parametrize("rule", FAST_DLLM, ids=str)
def test_in_its_limit_a_rule_is_fast_dllm(family, rule, generation):
    assert_equal(FastDLLM(commit=rule), FastDLLM(threshold=0.4), family, generation)


def test_an_infinite_entropy_bound_fills_a_block_in_one_step(family):
    generation = GenerationSettings(gen_length=12, block_length=6, cache="none")
    model = restless_model(family, 0)
    decoded = FastDLLM(commit=EntropyBounded(math.inf)).decode(model, [1, 2], generation, SPECIAL)
    assert [len(step) for step in steps(decoded.trace)] == [6, 6]


def passing(rule: CommitRule, entropies: list[float], order: list[int]) -> list[bool]:
    entropy = torch.tensor([entropies], dtype=torch.float64)
    none = torch.zeros_like(entropy)
    return rule.passes(Signals(none, entropy, none), torch.ones(1, len(order)).bool(), torch.tensor([order]))[
        0
    ].tolist()


def test_a_small_entropy_counts_beside_a_large_one():
    """As a difference of sums, 1e-20 + 0.5 - 0.5 would be 0."""
    assert passing(EntropyBounded(0.0), [0.5, 1e-20, 0.0], [1, 0, 2]) == [False, True, False]
    assert passing(EntropyBounded(0.0), [0.5, 0.0, 0.0], [1, 2, 0]) == [True, True, True]
    assert passing(EntropyBounded(1e-20), [0.5, 1e-20, 0.1], [1, 0, 2]) == [True, True, False]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_entropies_keep_their_digits(dtype):
    gap = 8.0 if dtype == torch.float16 else 50.0
    logits = torch.tensor([[[gap, 0, 0], [0, gap, -torch.inf], [0, 0, 0], [-torch.inf] * 3]], dtype=dtype) + 3
    few = math.exp(-gap)
    expected = [math.log1p(2 * few) + 2 * few * gap / (1 + 2 * few), math.log1p(few) + few * gap / (1 + few)]
    expected += [math.log(3), math.inf]
    found = entropy(logits.clone(), logits.softmax(dim=-1))
    assert found[0].tolist() == pytest.approx(expected, rel=0.06)  # the probabilities are rounded


@pytest.mark.parametrize("ranking", ["random", "origin"])
def test_an_entropy_bound_needs_a_ranking_by_certainty(ranking):
    with pytest.raises(ValueError, match=f"generation.ranking={ranking} with commit rule entropy bound 0.01: the rule"):
        FastDLLM(commit=EntropyBounded()).check(GenerationSettings(ranking=ranking), restless_model("llada").config)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EntropyBounded("1"), "decoder.commit.gamma=1: expected a number; infinity is inf"),
        (lambda: KLASS(threshold=0), "decoder.commit.threshold=0: expected a number above 0"),
        (lambda: KLASS(kl_threshold=-1), "decoder.commit.kl_threshold=-1: expected a number above 0"),
        (lambda: KLASS(history=0), "decoder.commit.history=0: expected a whole number of at least 1"),
        (lambda: KLASS(history_scope="x"), "decoder.commit.history_scope='x': expected one of auto, block, response"),
        (lambda: CreditDecoding(alpha=-1), "decoder.commit.alpha=-1: expected a number of at least 0"),
        (lambda: CreditDecoding(exponent=0), "decoder.commit.exponent=0: expected a number above 0"),
        (lambda: CreditDecoding(schedule="x"), "decoder.commit.schedule='x': expected one of constant, progress"),
        (lambda: LocalLeap(radius=1.5), "decoder.commit.radius=1.5: expected a whole number of at least 0"),
        (lambda: Hierarchical(low=-0.1), "decoder.commit.low=-0.1: expected a number of at least 0"),
    ],
)
def test_options_that_cannot_work_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
