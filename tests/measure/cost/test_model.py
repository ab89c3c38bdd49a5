"""The cost model, on models whose forwards take the seconds that a test says: no real clock is read here."""

import json
from itertools import pairwise, product

import pytest

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.rules.klass import KLASS
from baselines.stepwise import Stepwise
from baselines.wino import WINO
from ssd.decoding.cache_policy import POLICIES, plain_caches
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Trace
from ssd.measure import clock
from ssd.measure.cost.forwards import Shape
from ssd.measure.cost.model import CostModel, block_grid, node_grid, nodes_made, reaches_made
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import with_stored
from ssd.speculation.decoder import SelfSpeculative
from tests.block_cases import case
from tests.models import random_transformer
from tests.restless import restless_transformer

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
CACHES = [cache for cache in plain_caches("prompt") if POLICIES[cache].refreshes != "response"]


class Paced(MaskedDiffusionModel):
    """A model whose forwards take seconds that are linear in nodes, block, logit rows and length.

    It is its own `time` module.

    window_s: what a window forward takes for one node and no position.
    """

    def __init__(self, transformer, window_s=0.5):
        super().__init__(transformer)
        self.now_s, self.window_s = 0.0, window_s
        self.shapes = []

    def perf_counter(self):
        return self.now_s

    def refresh(self, canvas, window):
        self._pass((0, window), 3 + 0.25 * window.length + 0.5 * window.size + 2 * window.rows)
        return super().refresh(canvas, window)

    def window(self, states, window, context=None):
        nodes = states.shape[0]
        seconds = 1 + 0.5 * window.size + 0.25 * window.rows + 0.125 * window.length
        self._pass((nodes, window), self.window_s * nodes * seconds)
        return super().window(states, window, context)

    def _pass(self, shape, seconds):
        self.shapes.append(shape)
        self.now_s += seconds


@pytest.fixture
def paced(monkeypatch):
    def make(family, **options):
        model = Paced(restless_transformer(family), **options)
        monkeypatch.setattr(clock, "time", model)
        return model

    return make


class PacedByRows(MaskedDiffusionModel):
    """A model whose forwards take seconds that are linear in their rows; it is its own `time` module."""

    now_s = 0.0

    def perf_counter(self):
        return self.now_s

    def hidden(self, forward_input):
        self.now_s += 2 + sum(each.tokens.numel() for each in with_stored([forward_input]))
        return super().hidden(forward_input)


def settings_of(cache, **changes):
    return GenerationSettings(**{"gen_length": 32, "block_length": 8, "cache": cache} | changes)


@pytest.mark.parametrize("most", [1, 2, 5, 8, 9, 32, 33])
def test_nodes_are_doubled_up_to_the_most(most):
    grid = node_grid(most)
    assert grid[0] == 1
    assert grid[-1] == most
    assert all(left < right <= 2 * left for left, right in pairwise(grid))


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("block_start", ["commit_first", "ranked"])
def test_seconds_of_real_traces_are_predicted_exactly_where_the_truth_is_linear(paced, family, cache, block_start):
    """Prompts and numbers of nodes lie between the points of the grid; every decoder's forwards are found on it."""
    model, settings = paced(family), settings_of(cache, block_start=block_start, gen_length=24)
    cost = CostModel.measure(model, settings, SPECIAL, [11, 3, 7], node_grid(9), most_rounds=1)
    decoders = (Stepwise(), SelfSpeculative(depth=6), SelfSpeculative(depth=8, builder="best_first"), FreeDave(5))
    for decoder, prompt in product(decoders, ([5, 6] * 3, [7] * 11)):
        begun_s = model.now_s
        decoded = decoder.decode(model, prompt, settings, SPECIAL)
        predicted_s = cost.seconds(decoded.trace, len(prompt) + settings.gen_length)
        assert predicted_s == pytest.approx(model.now_s - begun_s, rel=1e-12)


@pytest.mark.parametrize("cache", CACHES)
def test_the_shapes_measured(paced, family, cache):
    model, settings = paced(family), settings_of(cache)
    cost = CostModel.measure(model, settings, SPECIAL, [4, 9, 6], [4, 1], most_rounds=2, budget_s=1e9)
    blocks = [0, 2, 3] if settings.options.windows == "suffix" else [0]
    assert (cost.lengths, cost.blocks, cost.nodes, cost.rounds) == ([36, 41], blocks, [1, 4], 2)
    one_round = model.shapes[::2][: len(model.shapes) // 4]
    assert len(one_round) == 2 * len(blocks) * 3
    assert model.shapes == 2 * [shape for shape in one_round for _ in range(2)], "in turn, each twice in a row"
    assert {shape[1].length for shape in model.shapes} == {36, 41}


def test_blocks_of_a_short_response():
    assert block_grid(settings_of("prefix", gen_length=8)) == [0]
    assert block_grid(settings_of("prefix", gen_length=16)) == [0, 1]


@pytest.mark.parametrize(("window_s", "budget_s", "rounds"), [(1.0, 1.0, 1), (1e-9, 1e9, 7), (1.0, 0.0, 1)])
def test_rounds_are_bounded_by_time_and_number(paced, window_s, budget_s, rounds):
    model = paced("llada", window_s=window_s)
    cost = CostModel.measure(model, settings_of("none"), SPECIAL, [5], [1], budget_s=budget_s, most_rounds=7)
    assert cost.rounds == rounds


def test_the_budget_is_kept_where_it_allows_a_second_round(paced):
    model = paced("llada")
    CostModel.measure(model, settings_of("dual"), SPECIAL, [5], [1, 2], budget_s=0)
    round_s = begun_s = model.now_s
    cost = CostModel.measure(model, settings_of("dual"), SPECIAL, [5], [1, 2], budget_s=4.6 * round_s)
    assert cost.rounds == 4
    assert model.now_s - begun_s == pytest.approx(4 * round_s)


def test_a_forward_is_timed_behind_its_like(paced):
    """The first of two takes twice as long, as if it had found the caches full of another shape's."""
    model = paced("llada")
    pace, before = model._pass, [None]

    def cold(shape, seconds):
        pace(shape, seconds * (1 if shape == before[0] else 2))
        before[0] = shape

    calm = CostModel.measure(model, settings_of("dual"), SPECIAL, [5], [1, 2])
    model._pass = cold
    assert CostModel.measure(model, settings_of("dual"), SPECIAL, [5], [1, 2]).window_s == calm.window_s


def test_an_outlier_does_not_matter(paced, monkeypatch):
    model = paced("llada")
    calm = CostModel.measure(model, settings_of("dual"), SPECIAL, [5], [1], budget_s=1e9, most_rounds=3)
    pace = model._pass
    monkeypatch.setattr(
        model, "_pass", lambda shape, seconds: pace(shape, seconds * (100 if len(model.shapes) in (8, 11) else 1))
    )
    assert CostModel.measure(model, settings_of("dual"), SPECIAL, [5], [1], budget_s=1e9, most_rounds=3) == calm


@pytest.mark.parametrize("grid", [node_grid(9), [1, 2, 9]])
def test_padded_nodes_cost_what_is_evaluated(paced, monkeypatch, grid):
    """No line leads from one count to the next where shapes are static: five nodes take what eight do."""
    model = paced("llada")
    monkeypatch.setattr(model, "computed_nodes", lambda nodes: min(1 << (nodes - 1).bit_length(), 9))
    cost = CostModel.measure(model, settings_of("dual"), SPECIAL, [5], grid)
    seconds = [cost.forward_s(Shape(nodes, 0, 37)) for nodes in range(1, 10)]
    assert [seconds.index(value) + 1 for value in seconds] == [1, 2, 3, 3, 5, 5, 5, 5, 9]
    assert seconds[0] < seconds[1] < seconds[2] < seconds[4] < seconds[8]


def test_it_survives_a_file(paced, family):
    cost = CostModel.measure(paced(family), settings_of("prefix"), SPECIAL, [3, 5], [1, 2])
    assert CostModel.from_json(json.loads(json.dumps(cost.to_json(), allow_nan=False))) == cost


def test_forwards_that_are_not_the_cache_modes_own_are_not_predicted(paced):
    model, settings = paced("llada"), settings_of("dual")
    cost = CostModel.measure(model, settings, SPECIAL, [6], [1, 8])
    decoded = WINO().decode(model, [5] * 6, settings, SPECIAL)
    assert {event.rows for event in decoded.trace.events} == {38, 16}, "shadows double the rows of a block"
    assert cost.seconds(decoded.trace, 38) is None
    sliding = Event("refresh", 0, 0, 1, 22, ())
    verifier = Event("verifier", 0, 0, 1, 8, ())
    own = [Event("refresh", 0, 0, 1, 38, (), logit_rows=8), Event("decode", 0, 1, 1, 8, (), logit_rows=8)]
    assert cost.seconds(Trace(own), 38) > 0
    assert cost.seconds(Trace([sliding, own[1]]), 38) is None
    assert cost.seconds(Trace([*own, verifier]), 38) is None


@pytest.mark.parametrize(
    ("cache", "decoder"),
    [
        ("none", SelfSpeculative(6, lookahead=2)),
        ("dkv_prefill", SelfSpeculative(6, lookahead=2)),
        ("dual", FreeDave(4, eager=True)),
        ("none", FastDLLM(commit=KLASS(threshold=0.1))),
    ],
    ids=["none", "dkv_prefill", "dual", "klass"],
)
def test_logits_of_later_blocks_are_predicted_as_they_are_computed(paced, family, cache, decoder):
    """Stepwise decoding has none of them, and the last blocks have fewer."""
    model, settings = paced(family), settings_of(cache)
    reaches = reaches_made(decoder, settings)
    cost = CostModel.measure(model, settings, SPECIAL, [6], node_grid(7), most_rounds=1, reaches=reaches)
    alone = CostModel.measure(model, settings, SPECIAL, [6], node_grid(7), most_rounds=1)
    for each in (decoder, Stepwise()):
        begun_s = model.now_s
        trace = each.decode(model, [5] * 6, settings, SPECIAL).trace
        assert cost.seconds(trace, 38) == pytest.approx(model.now_s - begun_s, rel=1e-12)
        if cache == "dual" and each is decoder:
            assert alone.seconds(trace, 38) is None, "their windows are longer than all that were timed"


@pytest.mark.parametrize(("prompt_length", "share"), [(8, 1e-12), (6, 0.01)], ids=["aligned", "shared"])
def test_blocks_of_a_growing_window_are_predicted(paced, prompt_length, share):
    """A prompt that shares its first block makes one block more than those timed; its first has fewer logit rows."""
    model, settings = paced("sdar"), settings_of("none", grid="absolute", block_length=4)
    cost = CostModel.measure(model, settings, SPECIAL, [prompt_length], node_grid(7), most_rounds=1)
    for decoder in (Stepwise(), SelfSpeculative(6)):
        begun_s = model.now_s
        trace = decoder.decode(model, [5] * prompt_length, settings, SPECIAL).trace
        true_s = model.now_s - begun_s
        assert cost.seconds(trace, prompt_length + 32) == pytest.approx(true_s, rel=share)


def test_logits_of_later_blocks_that_were_not_timed_are_not_predicted(paced):
    model, settings = paced("llada"), settings_of("prefix")
    decoder = FreeDave(4, eager=True)
    reaches = reaches_made(decoder, settings)
    cost = CostModel.measure(model, settings, SPECIAL, [6], node_grid(4), most_rounds=1, reaches=reaches)
    assert cost.seconds(decoder.decode(model, [5] * 6, settings, SPECIAL).trace, 38) is None
    further = CostModel.measure(model, settings_of("dual"), SPECIAL, [6], [1], most_rounds=1, reaches=[0, 2])
    for rows, logit_rows in ((16, 16), (8, 16)):
        assert further.seconds(Trace([Event("decode", 0, 1, 1, rows, (), logit_rows=logit_rows)]), 38) is not None
    other = Event("decode", 0, 1, 1, 16, (), logit_rows=12)
    assert further.seconds(Trace([other]), 38) is None, "a window with rows of no such reach"


@pytest.mark.parametrize(
    "decoder", [SelfSpeculative(6, lookahead=1), FreeDave(7, eager=True)], ids=["lookahead", "eager"]
)
def test_an_exact_cache_s_rows_of_later_blocks_are_predicted(monkeypatch, decoder):
    made = case("sdar", 4, 6, 17)
    model = PacedByRows(made.model.transformer)
    monkeypatch.setattr(clock, "time", model)
    nodes = nodes_made(decoder, made.settings, model)
    cost = CostModel.measure(model, made.settings, made.special, [6], nodes, most_rounds=1)
    for each in (decoder, Stepwise()):
        begun_s = model.now_s
        trace = made.decode(each, model).trace
        assert cost.seconds(trace, 23) == pytest.approx(model.now_s - begun_s, rel=1e-12)


def test_later_blocks_are_timed_where_blocks_are_alike():
    decoder = SelfSpeculative(6, lookahead=9)
    reaches = {cache: reaches_made(decoder, settings_of(cache)) for cache in ("none", "dkv_prefill", "prefix")}
    assert reaches == {"none": [0, 3], "dkv_prefill": [0, 3], "prefix": [0]}
    assert reaches_made(Stepwise(), settings_of("none")) == [0]
    absolute = GenerationSettings(gen_length=32, block_length=8, cache="exact", grid="absolute")
    assert reaches_made(decoder, absolute) == [0]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (Shape(9, 0, 38), "nodes=9 lies outside the cost model, which was measured from 1 to 8"),
        (Shape(1, 0, 37), "length=37"),
        (Shape(1, 0, 43), "length=43"),
        (Shape(1, 4, 40), "block 4: expected one of the response's 4"),
    ],
)
def test_nothing_is_predicted_outside_the_grid(paced, shape, message):
    cost = CostModel.measure(paced("llada"), settings_of("dual"), SPECIAL, [6, 10], [1, 8])
    with pytest.raises(ValueError, match=message):
        cost.forward_s(shape)


def test_a_canvas_that_the_model_cannot_hold_is_refused():
    model = MaskedDiffusionModel(random_transformer("llada", context_length=40))
    with pytest.raises(ValueError, match="a canvas of 41 positions exceeds the model's context of 40"):
        CostModel.measure(model, settings_of("dual"), SPECIAL, [2, 9], [1])
