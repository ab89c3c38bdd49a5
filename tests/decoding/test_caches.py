"""Cache policies: their limits, plain references, and what drafts keep over them."""

import math
import re
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import Any
from unittest.mock import patch

import pytest

from baselines.freedave import FreeDave
from baselines.psd import ParallelSelfSpeculative
from baselines.stepwise import Stepwise
from baselines.wino import WINO
from ssd.audit.replay import replay
from ssd.decoding import cache_options
from ssd.decoding.cache_options import OPTIONS, caches_of
from ssd.decoding.cache_policy import POLICIES
from ssd.decoding.caches.dkv import DKV
from ssd.decoding.caches.dllm_cache import DLLMCache
from ssd.decoding.caches.dpad import DPad
from ssd.decoding.caches.sparse import Sparse
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.batching import ContinuousBatcher
from ssd.measure.instrumentation import NodeByNode
from ssd.modeling.config import Family
from ssd.speculation.decoder import SelfSpeculative
from tests.data import REPOSITORY
from tests.effort import LONG
from tests.graphs import random_graph_file
from tests.models import FAMILIES, tiny_config
from tests.naive_caches import NaiveDKV, NaiveDKVPrefill, NaiveDLLMCache, NaiveDPad, NaiveSparse, NaiveVicinity
from tests.restless import restless_model
from tests.traces import order

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
PAGE = (REPOSITORY / "docs" / "caches.md").read_text()
PROMPT = [5, 17, 3, 44, 9]
restless = lru_cache(maxsize=8)(restless_model)
# By name of a case: the cache, and its options.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "vicinity": ("vicinity", {"before": 1, "after": 2}),
    "dkv_prefill": ("dkv_prefill", {}),
    "dpad": ("dpad", {"window": 8, "scale": 1.2}),
    "dpad prefix": ("dpad", {"base": "prefix", "window": 8, "scale": 1.2}),
    "dpad dual": ("dpad", {"base": "dual", "window": 8, "scale": 1.2}),
    "sparse at once": ("sparse", {"delay": 0, "retention": 0.3}),
    "sparse": ("sparse", {"retention": 0.3}),
    "sparse later": ("sparse", {"delay": 2, "kernel": 1}),
    "dkv": ("dkv", {"interval": 3}),
    "dkv seldom": ("dkv", {}),
}
CASES |= {
    cache: (cache, {})
    for cache in caches_of("prompt")
    if POLICIES[cache].accepts_drafts and not POLICIES[cache].has_plain_windows and cache not in dict(CASES.values())
}
ONE_EACH = {cache: name for name, (cache, _) in CASES.items()}
"""By cache, the name of one of its cases."""
STEPWISE_ONLY: dict[str, tuple[str, dict[str, Any]]] = {
    "dllm_cache": ("dllm_cache", {"prompt_interval": 4, "response_interval": 3}),
    "dllm_cache seldom": ("dllm_cache", {"ratio": 0.5}),
}
DRAFTING: dict[str, Decoder] = {
    "chain": SelfSpeculative(depth=4),
    "kary": SelfSpeculative(depth=3, builder="kary", width=2, budget=8),
    "best_first": SelfSpeculative(depth=4, builder="best_first", budget=10, alternatives=True),
    "freedave": FreeDave(draft_steps=4),
    "psd": ParallelSelfSpeculative(threshold=0.2, depth=4, builder="best_first", width=2),
}


def settings(cache: str, options: dict[str, Any] | None = None, **changes: Any) -> GenerationSettings:
    return GenerationSettings(**({"gen_length": 12, "block_length": 6} | changes), cache=cache, cache_options=options)


def outcome(decoded: Decoded) -> tuple[list[int], list[tuple[int, int]], int]:
    return decoded.response_ids, order(decoded.trace), decoded.trace.filled


def confidences(decoded: Decoded) -> list[float]:
    return [pick.confidence for pick in decoded.trace.picks]


def decode(decoder: Decoder, model: Any, chosen: GenerationSettings) -> Decoded:
    decoder.check_all(chosen, model.config)
    return decoder.decode(model, PROMPT, chosen, SPECIAL)


@cache
def stepwise(family: Family, seed: int, chosen: GenerationSettings) -> Decoded:
    """The reference that several cases share."""
    return decode(Stepwise(), restless(family, seed), chosen)


LIMITS = {
    "vicinity of everything": ("vicinity", {"before": 17, "after": 12}, "dual"),
    "dllm_cache that renews all": ("dllm_cache", {"prompt_interval": 1, "response_interval": 1, "ratio": 0}, "none"),
    "dkv of interval 1": ("dkv", {"interval": 1}, "none"),
    "sparse that keeps all": ("sparse", {"retention": 1.0, "delay": 0}, "dual"),
    "sparse that waits": ("sparse", {"delay": 6}, "none"),
    "dpad that keeps all": ("dpad", {"scale": math.inf, "window": 12}, "none"),
    "dpad that keeps all, however thin": ("dpad", {"scale": math.inf, "density": 100.0, "window": 12}, "none"),
    "dpad that keeps all, prefix": ("dpad", {"scale": math.inf, "window": 12, "base": "prefix"}, "prefix"),
    "dpad that keeps all, dual": ("dpad", {"scale": math.inf, "window": 12, "base": "dual"}, "dual"),
}


@pytest.mark.parametrize("block_length", [1, 4, 6])
@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.slow
def test_a_policys_limit_is_another_one(family, limit, block_length):
    cache, options, other = LIMITS[limit]
    for block_start in ("commit_first", "ranked"):
        changes = {"block_length": block_length, "block_start": block_start, "gen_length": 12}
        of_policy, of_other = (
            stepwise(family, 0, settings(*chosen, **changes)) for chosen in ((cache, options), (other,))
        )
        assert outcome(of_policy) == outcome(of_other)
        assert of_policy.trace.token_rows == of_other.trace.token_rows


def test_a_refresh_of_the_vicinity_computes_as_much_however_long_the_response_is(family):
    chosen = settings("vicinity", {"before": 0, "after": 3}, gen_length=36)
    events = decode(Stepwise(), restless(family), chosen).trace.events
    assert [event.rows for event in events if event.kind == "refresh"] == [41, 15, 15, 15, 15, 12]


def test_a_suffix_of_no_positions_is_not_computed(family):
    nothing = decode(Stepwise(), restless(family), settings("dpad", {"window": 0}))
    assert [event.rows for event in nothing.trace.events] == [11] * 6 + [17] * 6


NAIVE = {
    "vicinity": lambda *case: NaiveVicinity(*case, before=1, after=2),
    "dllm_cache": lambda *case: NaiveDLLMCache(*case, prompt_interval=4, response_interval=3),
    "dllm_cache seldom": lambda *case: NaiveDLLMCache(*case, ratio=0.5),
    "dkv": lambda *case: NaiveDKV(*case, interval=3),
    "dkv seldom": lambda *case: NaiveDKV(*case),
    "dkv_prefill": lambda *case: NaiveDKVPrefill(*case),
    "dpad": lambda *case: NaiveDPad(*case, width=8, scale=1.2),
    "dpad prefix": lambda *case: NaiveDPad(*case, base="prefix", width=8, scale=1.2),
    "dpad dual": lambda *case: NaiveDPad(*case, base="dual", width=8, scale=1.2),
    "sparse at once": lambda *case: NaiveSparse(*case, retention=0.3, delay=0),
    "sparse": lambda *case: NaiveSparse(*case, retention=0.3),
    "sparse later": lambda *case: NaiveSparse(*case, delay=2, kernel=1),
}


ALL = [(family, case, block_length) for case in NAIVE for family in FAMILIES for block_length in (4, 6)]
BY_TURNS = [(FAMILIES[place % 2], case, (6, 4)[place // 2 % 2]) for place, case in enumerate(NAIVE)]


@pytest.mark.parametrize(("family", "case", "block_length"), ALL if LONG else BY_TURNS)
@pytest.mark.slow
def test_stepwise_decoding_is_the_plain_reference(family, case, block_length):
    model = restless(family, 1)
    chosen = settings(*(CASES | STEPWISE_ONLY)[case], block_start="ranked", block_length=block_length)
    decoded = decode(Stepwise(), model, chosen)
    naive = NAIVE[case](model.transformer, PROMPT, 12, block_length)
    response, steps = naive.decode()
    assert decoded.response_ids == response
    assert order(decoded.trace) == [pick for step in steps for pick in step]
    assert confidences(decoded) == pytest.approx(naive.confidences, abs=1e-9)
    uncached = decode(Stepwise(), model, settings("none", block_length=block_length))
    assert confidences(decoded) != pytest.approx(confidences(uncached), abs=1e-6), "the cache changes nothing"


EVERY = [(family, case, name) for family in FAMILIES for case in CASES for name in DRAFTING]
# Every decoder with one case of each cache, and with each further case one decoder by turns.
SOME = [
    (FAMILIES[(place + turn) % 2], case, name)
    for place, (case, (cache, _)) in enumerate(CASES.items())
    for turn, name in enumerate(DRAFTING)
    if ONE_EACH[cache] == case or place % len(DRAFTING) == turn
]


@pytest.mark.parametrize(("family", "case", "name"), EVERY if LONG else SOME)
@pytest.mark.slow
def test_drafts_give_what_stepwise_decoding_gives_over_the_same_cache(family, case, name):
    decoder = DRAFTING[name]
    for seed, changes in ((0, {}), (1, {"temperature": 0.7, "stop": "eos_any", "block_length": 12})):
        if name == "freedave" and changes:
            changes = {"stop": "eos_any"}
        chosen = settings(*CASES[case], **changes)
        if decoder.reference is None:
            reference = stepwise(family, seed, chosen)
        else:
            reference = decode(decoder.reference, restless(family, seed), chosen)
        decoded = decode(decoder, restless(family, seed), chosen)
        assert outcome(decoded) == outcome(reference)
        assert decoded.trace.nfe <= reference.trace.nfe
        if LONG or not changes:
            alone = decoder.decode(NodeByNode(restless(family, seed)), PROMPT, chosen, SPECIAL)
            assert outcome(alone) == outcome(reference)


@pytest.mark.parametrize("case", [case for cache, case in ONE_EACH.items() if POLICIES[cache].shares_forwards])
def test_responses_of_a_batch_share_forwards(case):
    """Each gives what it gives alone."""
    model, chosen, decoder = restless("llada"), settings(*CASES[case]), DRAFTING["chain"]
    jobs = [partial(_job, decoder, prompt, chosen) for prompt in ([1], PROMPT, PROMPT[:2])]
    shares = ContinuousBatcher(model).run(jobs, 2)
    assert [outcome(share.result) for share in shares] == [outcome(job(model)) for job in jobs]
    assert sum(share.forwards for share in shares) < sum(share.result.trace.nfe for share in shares)


def _job(decoder, prompt, chosen, model):
    return decoder.decode(model, prompt, chosen, SPECIAL)


@pytest.mark.parametrize("case", [case for cache, case in ONE_EACH.items() if POLICIES[cache].depends_on != "path"])
def test_spiffys_graphs_are_exact_where_the_state_decides(family, case):
    graph = SelfSpeculative(depth=4, builder="spiffy", graph=random_graph_file(3))
    chosen = settings(*CASES[case])
    assert outcome(decode(graph, restless(family), chosen)) == outcome(decode(Stepwise(), restless(family), chosen))


class Merges(SelfSpeculative):
    """Drafts as over a cache that depends on the state; each node reads the entries of one way to it."""

    def draft(self, session, current):
        with patch.object(type(session), "needs_tree", False):
            draft = super().draft(session, current)
        before = [
            next(
                (
                    other
                    for other in reversed(range(node))
                    if draft.depths[other] == draft.depths[node] - 1
                    and ((draft.states[other] == draft.states[node]) | (draft.states[other] == 63)).all()
                ),
                0,
            )
            for node in range(draft.nodes)
        ]
        return replace(draft, parents=tuple(before))

    def accept(self, session, draft, next_states, next_steps):
        return super().accept(session, replace(draft, parents=None), next_states, next_steps)


def test_merged_drafts_differ_over_a_path(family):
    """A state has other logits after the same picks in another order."""
    chosen = settings("dkv", gen_length=12, block_length=12)
    merges = Merges(depth=4, builder="kary", width=3, budget=24)
    for seed in range(8):
        merged, stepwise = (
            decoder.decode(restless(family, seed), PROMPT, chosen, SPECIAL) for decoder in (merges, Stepwise())
        )
        if outcome(merged) != outcome(stepwise):
            return
    pytest.fail("merged drafts gave what stepwise decoding gives")


def test_merged_drafts_are_refused_over_a_path(family):
    class Forgets(SelfSpeculative):
        def draft(self, session, current):
            return replace(super().draft(session, current), parents=None)

    chosen = settings("dkv")
    with pytest.raises(ValueError, match=r"^Forgets drafts states that several paths lead to, .*generation\.cache=dkv"):
        Forgets(depth=4).decode(restless(family), PROMPT, chosen, SPECIAL)
    graph = SelfSpeculative(depth=4, builder="spiffy", graph=random_graph_file(3))
    with pytest.raises(ValueError, match=r"decoder\.builder=spiffy with generation\.cache=dkv: several paths"):
        graph.check_all(chosen, tiny_config(family))


@pytest.mark.parametrize(
    ("decoder", "cache", "message"),
    [
        (WINO(), "dkv", "generation.cache=dkv with WINO: this decoder computes windows"),
        (WINO(), "dpad", "pass generation.cache=none or prefix or dual or dkv_prefill"),
        (SelfSpeculative(depth="auto"), "sparse", "with decoder.depth=auto: the number of nodes depends on"),
        (
            SelfSpeculative(),
            "dllm_cache",
            "SelfSpeculative: a forward over this cache computes one state,",
        ),
        (FreeDave(eager=True), "dkv", r"into later blocks; pass decoder\.eager=false, or generation\.cache=none or"),
        (
            SelfSpeculative(lookahead=1),
            "dkv",
            r"later blocks; pass decoder\.lookahead=0, or generation\.cache=none or",
        ),
    ],
)
def test_decoders_that_do_not_fit_a_cache_are_refused(decoder, cache, message):
    with pytest.raises(ValueError, match=message):
        decoder.check_all(settings(cache), tiny_config("llada"))


@pytest.mark.parametrize("decoder", DRAFTING)
@pytest.mark.parametrize("cache", [cache for cache in POLICIES if not POLICIES[cache].accepts_drafts])
def test_no_decoder_drafts_over_a_cache_whose_forwards_have_one_state(cache, decoder):
    with pytest.raises(ValueError, match="a forward over this cache computes one state"):
        DRAFTING[decoder].check_all(settings(cache), tiny_config("llada"))


@pytest.mark.parametrize(
    ("cache", "options", "message"),
    [
        ("duel", None, "generation.cache='duel': expected one of none, prefix, dual, "),
        ("dual", {"interval": 3}, "generation.cache_options.interval=3: generation.cache=dual has no options"),
        ("dkv", {"delay": 3}, "generation.cache_options.delay=3: generation.cache=dkv has the options interval"),
        ("dkv", {"interval": 0}, "generation.cache_options.interval=0: expected a whole number of at least 1"),
        ("dkv", 4, "generation.cache_options=4: expected null or options"),
        ("dpad", {"base": "dkv"}, "generation.cache_options.base=dkv: expected one of none, prefix, dual"),
        ("dpad", {"density": math.inf}, "generation.cache_options.density=inf: expected a finite number; pass "),
        ("sparse", {"kernel": 2}, "generation.cache_options.kernel=2: expected an odd number"),
        ("sparse", {"retention": 1.5}, "generation.cache_options.retention=1.5: expected a number from 0 to 1"),
    ],
)
def test_options_that_cannot_work_are_refused(cache, options, message):
    with pytest.raises(ValueError, match=message):
        settings(cache, options)


def test_options_are_the_same_however_they_are_given():
    given, default = settings("dkv", {"interval": 8, "delay": None}), settings("dkv")
    assert given == default
    assert hash(given) == hash(default)
    assert settings("dual", {"interval": None}).cache_options is None
    assert replace(given, seed=1).cache_options == given.cache_options
    assert given.with_cache("none") == settings("none")


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_forwards_carry_no_drafts_before_the_cache_is_settled(family, delay):
    decoded = decode(DRAFTING["chain"], restless(family), settings("sparse", {"delay": delay}))
    for block in (0, 1):
        nodes = [event.nodes for event in decoded.trace.events if event.block == block]
        assert nodes[: delay + 1] == [1] * (delay + 1)
        assert nodes[delay + 1] > 1


@pytest.mark.parametrize("delay", [0, 1])
def test_a_window_of_the_whole_canvas_leaves_nothing_to_select(delay):
    """With shifted logits the window begins one position before the block: here at the canvas' start."""
    model, changes = restless("dream"), {"gen_length": 4, "block_length": 4, "block_start": "ranked"}
    chosen, uncached = settings("sparse", {"delay": delay}, **changes), settings("none", **changes)
    stepwise = Stepwise().decode(model, [7], uncached, SPECIAL)
    assert outcome(Stepwise().decode(model, [7], chosen, SPECIAL)) == outcome(stepwise)
    drafted = DRAFTING["chain"].decode(model, [7], chosen, SPECIAL)
    assert outcome(drafted) == outcome(stepwise)
    assert [event.nodes > 1 for event in drafted.trace.events][: delay + 2] == [False] * (delay + 1) + [True]


def test_the_event_of_a_path_counts_what_its_nodes_compute(family):
    """Of 17 positions, 12 masked ones and those just committed; a full forward in every third step."""
    stepwise = decode(Stepwise(), restless(family), settings("dkv", {"interval": 3}))
    assert [event.rows for event in stepwise.trace.events] == [17, 17, 11, 17, 9, 8, 17, 17, 5, 17, 3, 2]
    assert {event.kind for event in stepwise.trace.events[:1] + stepwise.trace.events[6:7]} == {"refresh"}
    decoded = decode(DRAFTING["chain"], restless(family), settings("dkv", {"interval": 3}))
    assert all(event.stored == 0 for event in decoded.trace.events if event.nodes == 1)
    assert any(event.stored for event in decoded.trace.events if event.nodes > 1)


def test_every_approximation_has_a_limit_and_a_plain_reference_here():
    """Those of the caches that every block refreshes are in tests/baselines."""
    approximate = {name for name, policy in POLICIES.items() if policy.caveat and policy.refreshes != "block"}
    assert {(CASES | STEPWISE_ONLY)[name][0] for name in NAIVE} == approximate
    assert approximate - {cache for cache, *_ in LIMITS.values()} == {"dkv_prefill"}, "it has no parameter"


@pytest.mark.parametrize("policy", [DKV, DLLMCache, DPad, Sparse])
def test_options_of_another_cache_are_not_replaced_by_defaults(policy):
    with pytest.raises(TypeError, match=f"{policy.__name__} expects {policy.__name__}Options, but the settings have"):
        policy(settings("dual"))


def test_every_approximation_says_so():
    assert {cache for cache, policy in POLICIES.items() if policy.caveat is None} == {"none", "exact"}


def test_the_cache_that_the_documentation_adds_is_lossless_ground(family, monkeypatch):
    namespace: dict[str, Any] = {}
    exec("from ssd.decoding.cache_options import *", namespace)  # the file that the first block goes into
    options, policy = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(options, namespace)
    monkeypatch.setattr(cache_options, "LazyOptions", namespace["LazyOptions"], raising=False)
    namespace = dict(namespace)
    del namespace["LazyOptions"]  # the second file has only what it imports
    exec(policy, namespace)
    monkeypatch.setitem(OPTIONS, "lazy", namespace["LazyOptions"])
    monkeypatch.setitem(POLICIES, "lazy", namespace["Lazy"])
    chosen = settings("lazy", gen_length=16, block_length=4)
    stepwise = decode(Stepwise(), restless(family), chosen)
    assert [event.kind for event in stepwise.trace.events if event.kind == "refresh"] == ["refresh"] * 2
    assert outcome(decode(DRAFTING["best_first"], restless(family), chosen)) == outcome(stepwise)
    often, prefix = settings("lazy", {"every": 1}), settings("prefix")
    assert outcome(decode(Stepwise(), restless(family), often)) == outcome(decode(Stepwise(), restless(family), prefix))
    found = replay(restless(family), chosen, SPECIAL, None, PROMPT, stepwise.trace, 9)
    assert found.picks == {stepwise.trace.picks[9][:2]}


def test_the_page_lists_every_cache():
    table = PAGE.partition("## Which")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(POLICIES) == set(OPTIONS)
