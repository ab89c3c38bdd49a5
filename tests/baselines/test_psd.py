"""PSD: the response, and the order of commitment, of the parallel rule that it speculates on."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.fast_dllm import FastDLLM
from baselines.psd import ParallelSelfSpeculative
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import examples, some
from tests.generations import generations
from tests.models import FAMILIES
from tests.restless import restless_model
from tests.traces import ends, order, steps
from tests.unshakable import Unshakable

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
RULES = (
    *({"rule": "threshold", "threshold": value} for value in (0.05, 0.2, 0.5, 0.8, 1.1)),
    *({"rule": "factor", "factor": value} for value in (0.3, 0.9, 1.5, 3.0)),
)


@st.composite
def drafts(draw):
    """Options that say what is drafted."""
    builder = draw(st.sampled_from(["chain", "kary", "best_first"]))
    options = {
        "builder": builder,
        "depth": draw(st.integers(1, 9)),
        "budget": draw(st.one_of(st.none(), st.integers(2, 17))),
    }
    if builder != "chain":
        options |= {"width": draw(st.integers(1, 4)), "alternatives": draw(st.booleans())}
    return options


@pytest.mark.slow
@settings(
    max_examples=examples(120, thinner=2), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    family=st.sampled_from(FAMILIES),
    seed=st.integers(0, 50),
    sharpness=st.sampled_from([0.5, 2.0, 8.0]),
    prompt=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    generation=generations(),
    rule=st.sampled_from(RULES),
    draft=drafts(),
)
def test_response_and_order_are_those_of_fast_dllm(family, seed, sharpness, prompt, generation, rule, draft):
    model, decoder = restless_model(family, seed, sharpness=sharpness), ParallelSelfSpeculative(**rule, **draft)
    assert decoder.caveat(generation) is None
    reference = FastDLLM(**rule).decode(model, prompt, generation, SPECIAL)
    decoded = decoder.decode(model, prompt, generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert order(decoded.trace) == order(reference.trace)
    assert decoded.trace.filled == reference.trace.filled
    assert decoded.trace.nfe <= reference.trace.nfe
    assert ends(decoded.trace) <= ends(reference.trace), "a step was torn apart"


@pytest.mark.parametrize("builder", ["chain", "kary", "best_first"])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_model_that_never_changes_its_mind_takes_one_step_more_per_drafted_node(rule, builder):
    generation = GenerationSettings(gen_length=16, block_length=16, cache="none")
    for seed in some(range(3), 3, len(builder)):
        model, decoder = Unshakable(seed), ParallelSelfSpeculative(**rule, builder=builder, depth=4, width=1)
        reference = decoder.reference.decode(model, [1, 2], generation, SPECIAL)
        decoded = decoder.decode(model, [1, 2], generation, SPECIAL)
        assert order(decoded.trace) == order(reference.trace)
        later = reference.trace.nfe - 1  # the first opens the block; each other forward makes five steps
        least = 1 + -(-later // 5)
        # best_first bets on changes of mind as well.
        most = max(least, reference.trace.nfe - 1) if builder == "best_first" else least
        assert least <= decoded.trace.nfe <= most


def test_drafts_are_right_often_enough_to_save_forwards(family):
    spent = {"reference": 0, "psd": 0}
    generation = GenerationSettings(gen_length=32, block_length=16)
    for seed in some(range(4), 2):
        model, decoder = restless_model(family, seed, sharpness=1.0), ParallelSelfSpeculative(threshold=0.5)
        spent["reference"] += decoder.reference.decode(model, [1, 2, 3], generation, SPECIAL).trace.nfe
        spent["psd"] += decoder.decode(model, [1, 2, 3], generation, SPECIAL).trace.nfe
    assert spent["psd"] < spent["reference"]


@pytest.mark.slow
def test_a_threshold_that_nothing_reaches_makes_it_ssd(family):
    generation = GenerationSettings(gen_length=24, block_length=8)
    for seed in range(3):
        model = restless_model(family, seed)
        decoded = ParallelSelfSpeculative(threshold=1.1, depth=4).decode(model, [1, 2, 3], generation, SPECIAL)
        chain = SelfSpeculative(depth=4).decode(model, [1, 2, 3], generation, SPECIAL)
        assert decoded.response_ids == chain.response_ids
        assert steps(decoded.trace) == steps(chain.trace)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "margin"}, "decoder.rule='margin': expected one of threshold, factor"),
        ({"threshold": 0}, "decoder.threshold=0: expected a number above 0"),
        ({"rule": "factor", "factor": 0}, "decoder.factor=0: expected a number above 0"),
        ({"depth": 0}, "decoder.depth=0: expected auto or a whole number of at least 1"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ParallelSelfSpeculative(**options)
