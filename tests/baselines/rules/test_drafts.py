"""Drafts over every commit rule: the response and the order of decoding by the rule itself."""

from dataclasses import replace
from itertools import product

import pytest

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.psd import ParallelSelfSpeculative
from baselines.rules.credit import CreditDecoding
from baselines.rules.eb import EntropyBounded
from baselines.rules.hierarchical import Hierarchical
from baselines.rules.klass import KLASS
from baselines.rules.localleap import LocalLeap
from ssd.audit.compare import Audit
from ssd.decoding.cache_options import caches_of
from ssd.decoding.cache_policy import POLICIES
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.block_cases import case, outcome
from tests.effort import by_turns, covering
from tests.models import BLOCK_CAUSAL, FAMILIES
from tests.planted import AdvancesPerForward, MergesPaths
from tests.restless import restless_model
from tests.traces import order

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
RULES = (
    EntropyBounded(0.8),
    KLASS(0.3, 0.5, 2),
    KLASS(0.2, 1.0, 3),
    CreditDecoding(0.8, alpha=2.0),
    CreditDecoding(0.8, schedule="progress"),
    LocalLeap(0.8, 0.3, 2),
    Hierarchical(0.9, 0.4),
)
DRAFTS = (
    (ParallelSelfSpeculative, {"builder": "chain", "depth": 4}),
    (ParallelSelfSpeculative, {"builder": "kary", "depth": 3, "budget": 9}),
    (ParallelSelfSpeculative, {"builder": "best_first", "depth": 4, "budget": 9, "alternatives": True}),
    (FreeDave, {"draft_steps": 5, "rule": "exact_match"}),
)
SETTINGS = (
    GenerationSettings(gen_length=16, block_length=8, cache="none"),
    GenerationSettings(gen_length=16, block_length=8, cache="dual", temperature=0.7, ranking="maskgit_plus"),
    GenerationSettings(
        gen_length=16, block_length=8, cache="prefix", sub_block_length=4, block_start="ranked", temperature=0.5
    ),
)
CACHES = [
    cache
    for cache in caches_of("prompt")
    if POLICIES[cache].caveat and POLICIES[cache].accepts_drafts and POLICIES[cache].refreshes != "block"
]
OVER_CACHES = [*product(FAMILIES, (RULES[0], RULES[1], RULES[3], RULES[5]), CACHES)]


@pytest.mark.parametrize(("family", "rule"), by_turns(FAMILIES, RULES), ids=str)
@pytest.mark.slow
def test_drafts_over_a_rule_give_its_response_in_its_order(family, rule):
    saved, first = 0, RULES.index(rule) % len(DRAFTS)
    drafts = (*DRAFTS[first:], *DRAFTS[:first])
    for (seed, generation), (decoder, options) in by_turns([*enumerate(SETTINGS)], drafts):
        model = restless_model(family, seed, sharpness=4.0)
        reference = FastDLLM(commit=rule).decode(model, [1, 2, 3], generation, SPECIAL)
        decoded = decoder(commit=rule, **options).decode(model, [1, 2, 3], generation, SPECIAL)
        assert decoded.response_ids == reference.response_ids
        assert order(decoded.trace) == order(reference.trace)
        assert decoded.trace.nfe <= reference.trace.nfe
        saved += reference.trace.nfe - decoded.trace.nfe
    assert saved > 0


@pytest.mark.parametrize(("family", "rule", "cache"), [OVER_CACHES[place] for place in covering(OVER_CACHES)], ids=str)
def test_drafts_over_a_rule_and_an_approximate_cache_give_its_response_in_its_order(family, rule, cache):
    """A path may be remembered twice: by the rule (KLASS, CreditDecoding), and by the cache (dkv)."""
    model = restless_model(family, 1, sharpness=4.0)
    generation = GenerationSettings(gen_length=16, block_length=8, cache=cache)
    reference = FastDLLM(commit=rule).decode(model, [1, 2, 3], generation, SPECIAL)
    for decoder, options in DRAFTS[1:]:
        decoded = decoder(commit=rule, **options).decode(model, [1, 2, 3], generation, SPECIAL)
        assert decoded.response_ids == reference.response_ids
        assert order(decoded.trace) == order(reference.trace)


@pytest.mark.parametrize(("family", "rule"), by_turns(BLOCK_CAUSAL, RULES), ids=str)
@pytest.mark.slow
def test_block_causal_models_give_one_response_with_and_without_a_cache_and_drafts(family, rule):
    """A block's first position has another row before it than in later forwards, where logits are shifted."""
    tried = [case(family, 8, 5, 13), case(family, 8, 8, 13, store="separate", temperature=0.7)]
    first = RULES.index(rule) % 2
    references = [outcome(each.decode(FastDLLM(commit=rule), cache="none")) for each in tried]
    assert [outcome(each.decode(FastDLLM(commit=rule))) for each in tried] == references
    for place, (decoder, options) in by_turns((first, 1 - first), DRAFTS[1:]):
        assert outcome(tried[place].decode(decoder(commit=rule, **options))) == references[place]


@pytest.mark.parametrize("planted", [AdvancesPerForward, MergesPaths])
@pytest.mark.parametrize("rule", [KLASS(0.03, 0.1, 2), CreditDecoding(0.9, alpha=4.0, exponent=1.0)], ids=str)
def test_a_memory_of_another_path_is_graded_algorithmic(planted, rule):
    generation = GenerationSettings(gen_length=16, block_length=16, cache="none")
    decoder = planted(commit=rule, builder="kary", depth=4, width=3, budget=24)
    for seed in range(4, 16):
        model = restless_model("llada", seed, sharpness=2.0)
        reference = decoder.reference.decode(model, [1, 2, 3], generation, SPECIAL)
        decoded = decoder.decode(model, [1, 2, 3], generation, SPECIAL)
        audit = Audit(model, generation, SPECIAL, decoder.commit)
        compared = ([1, 2, 3], reference, decoded, decoder)
        divergence = audit.compare(*compared) or audit.compare_order(*compared)
        if divergence is not None:
            assert divergence.verdict == "algorithmic"
            return
    raise AssertionError("this decoder was never caught")


def test_a_graph_of_merged_states_is_refused_over_a_rule_with_memory():
    class Graph(MergesPaths):
        def draft(self, session, current):
            return replace(super().draft(session, current), parents=None)

    model = restless_model("llada", 0)
    with pytest.raises(ValueError, match=r"^Graph drafts states that several paths lead to, .*commit rule KLASS"):
        Graph(commit=KLASS(), builder="kary").decode(model, [1, 2, 3], SETTINGS[0], SPECIAL)
    Graph(commit=LocalLeap(), builder="kary").decode(model, [1, 2, 3], SETTINGS[0], SPECIAL)


def test_eager_drafts_are_refused_over_a_rule_with_memory():
    decoder, config = FreeDave(eager=True, commit=KLASS()), restless_model("llada").config
    with pytest.raises(ValueError, match=r"decoder\.eager=true with commit rule KLASS .*: its memory begins"):
        decoder.check(SETTINGS[0], config)
    FreeDave(eager=True, commit=LocalLeap()).check(SETTINGS[0], config)
