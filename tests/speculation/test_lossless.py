"""The claim: SSD gives the response and the order of commitment of stepwise decoding, whatever model and settings."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Trace
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import examples
from tests.generations import generations
from tests.graphs import random_graph_file
from tests.models import FAMILIES, random_model
from tests.priors import random_prior_file
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))


@st.composite
def decoders(draw):
    builder = draw(st.sampled_from(["chain", "kary", "best_first", "spiffy"]))
    grown = builder in ("kary", "best_first")
    auto = builder in ("chain", "best_first") and draw(st.booleans())
    return SelfSpeculative(
        depth="auto" if auto else draw(st.integers(1, 9)),
        costs=[[1, 1.0], [17, draw(st.sampled_from([1.0, 1.5, 4.0, 40.0]))]] if auto else None,
        width=draw(st.integers(1, 4)) if grown else 1,
        budget=draw(st.one_of(st.none(), st.integers(2, 17))),
        builder=builder,
        alternatives=grown and draw(st.booleans()),
        graph=draw(st.integers(0, 99).map(random_graph_file)) if builder == "spiffy" else None,
        prior=draw(st.none() | st.integers(0, 99).map(random_prior_file)) if auto or builder == "best_first" else None,
    )


@pytest.mark.slow
@settings(max_examples=examples(300, 2), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    family=st.sampled_from(FAMILIES),
    seed=st.integers(0, 50),
    sharpness=st.sampled_from([0.3, 1.0, 4.0]),
    prompt=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    generation=generations(),
    decoder=decoders(),
)
def test_response_and_order_are_stepwise_decodings(family, seed, sharpness, prompt, generation, decoder):
    model = restless_model(family, seed, sharpness=sharpness)
    reference = Stepwise().decode(model, prompt, generation, SPECIAL)
    decoded = decoder.decode(model, prompt, generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert order(decoded.trace) == order(reference.trace)
    assert SPECIAL.mask_id not in decoded.response_ids
    assert decoded.trace.filled == reference.trace.filled
    assert decoded.trace.nfe <= reference.trace.nfe
    check_trace(decoded.trace, generation)
    check_trace(reference.trace, generation)


def order(trace: Trace) -> list[tuple[int, int]]:
    return [(pick.position, pick.token) for pick in trace.picks]


def check_trace(trace: Trace, generation: GenerationSettings) -> None:
    """Every forward commits; blocks come in order and each opens with one forward; drafts never outnumber nodes."""
    assert len(trace.picks) + trace.filled == generation.gen_length
    assert [event.block for event in trace.events] == sorted(event.block for event in trace.events)
    for event in trace.events:
        assert event.picks
        assert {pick.position // generation.block_length for pick in event.picks} == {event.block}
        assert event.nodes == 1 + sum(event.drafted)
        assert all(accepted <= drafted for drafted, accepted in zip(event.drafted, event.accepted, strict=True))
        assert (event.kind == "verify") == (event.nodes > 1)
    for block in {event.block for event in trace.events}:
        first, *others = (event for event in trace.events if event.block == block)
        assert first.nodes == 1
        assert all(event.kind != "refresh" for event in others)
        # A window that is the whole canvas needs no refresh, whatever the cache mode.
        assert first.kind == "refresh" or (first.kind == "decode" and {event.rows for event in others} <= {first.rows})


@pytest.mark.parametrize("cache", ["none", "prefix", "dual"])
@pytest.mark.parametrize("ranking", ["low_confidence", "entropy"])
def test_a_seed_gives_one_sample_and_another_seed_another(family, ranking, cache):
    model, decoder = restless_model(family), SelfSpeculative(depth=4, builder="best_first")

    def sample(seed: int) -> tuple[int, ...]:
        generation = GenerationSettings(
            gen_length=16, block_length=8, cache=cache, ranking=ranking, temperature=0.8, top_p=0.9, seed=seed
        )
        response = decoder.decode(model, [1, 2, 3], generation, SPECIAL).response_ids
        assert response == Stepwise().decode(model, [1, 2, 3], generation, SPECIAL).response_ids
        return tuple(response)

    samples = [sample(seed) for seed in range(3)]
    assert len(set(samples)) == 3
    assert samples[0] == sample(0)


@pytest.mark.parametrize("builder", ["chain", "kary", "best_first"])
def test_a_model_that_never_changes_its_mind_accepts_every_draft(builder):
    """Without attention and MLP the logits of a masked position do not depend on what else is filled in."""
    model = random_model("llada", seed=0)
    for layer in model.transformer.layers:
        layer.attention_out.weight.zero_()
        layer.down.weight.zero_()
    generation = GenerationSettings(gen_length=32, block_length=16, cache="none")
    decoded = SelfSpeculative(depth=4, width=1, builder=builder, budget=5).decode(model, [1, 2, 3], generation, SPECIAL)
    reference = Stepwise().decode(model, [1, 2, 3], generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    # 15 picks are left after the opening forward, at most 5 per verify forward.
    assert decoded.trace.acceptance_lengths(32) == [5, 5, 5] * 2
    assert decoded.trace.nfe == 2 + 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 0}, "decoder.depth=0: expected auto or a whole number of at least 1"),
        ({"depth": 2.5}, "decoder.depth=2.5"),
        ({"width": 0, "builder": "kary"}, "decoder.width=0"),
        ({"budget": 1}, "decoder.budget=1: expected null or at least 2 nodes"),
        ({"builder": "bush"}, "decoder.builder='bush': expected one of chain, kary, best_first"),
        ({"width": 2}, "decoder.width=2, .*a chain has one node per depth"),
        ({"depth": "auto", "builder": "kary"}, "decoder.depth=auto: decoder.builder=kary does not draft its likeliest"),
        ({"costs": [[1, 1.0], [2, 1.1]]}, "decoder.costs=.*: expected null, only decoder.depth=auto"),
        ({"depth": "auto", "costs": [[1, 1.0]]}, "decoder.costs=.*: expected 1 and at least one more"),
        ({"depth": "auto", "costs": [[1, 1.0], [2, 0]]}, "decoder.costs=.*: expected a positive number for each"),
        ({"depth": "auto", "costs": 3}, "decoder.costs=3: .*; expected null, a JSON file, or rows"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SelfSpeculative(**options)
