"""Drafts that learn along a response: each response by itself, and as many nodes as pay."""

import json
from copy import copy
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.measure.batching import ContinuousBatcher
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.speculation import node_costs
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.node_costs import NodeCosts
from ssd.speculation.pick_model import PRIOR
from tests.block_cases import case, outcome
from tests.restless import restless_model
from tests.unshakable import Unshakable

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62,))
GENERATION = GenerationSettings(gen_length=32, block_length=16)
FREE, PROHIBITIVE = [[1, 1.0], [2, 1.0]], [[1, 1.0], [2, 2.5]]


@pytest.mark.parametrize("options", [{"depth": 8}, {"depth": "auto", "costs": [[1, 1.0], [32, 2.0]]}])
def test_no_response_depends_on_those_before_it(options):
    model, decoder = restless_model("llada"), SelfSpeculative(builder="best_first", **options)
    first, *_, again = (decoder.decode(model, prompt, GENERATION, SPECIAL) for prompt in ([1, 2], [7], [9, 9], [1, 2]))
    assert again.trace == first.trace


def test_a_response_does_learn():
    seen = []

    class Watched(SelfSpeculative):
        def draft(self, session, current):
            draft = super().draft(session, current)
            seen.append(session.draft_state.pick_model.weights)
            return draft

    Watched(builder="best_first").decode(restless_model("llada"), [1, 2], GENERATION, SPECIAL)
    assert seen[0] == PRIOR
    assert len(set(seen)) > 3


@pytest.mark.parametrize("builder", ["chain", "best_first"])
def test_auto_is_stepwise_decoding_where_a_second_node_costs_more_than_a_forward(builder):
    model, decoder = Unshakable(0), SelfSpeculative(depth="auto", builder=builder, costs=PROHIBITIVE)
    generation = GenerationSettings(gen_length=32, block_length=16, cache="none")
    decoded = decoder.decode(model, [1, 2, 3], generation, SPECIAL)
    assert {event.nodes for event in decoded.trace.events} == {1}
    assert decoded.trace.nfe == Stepwise().decode(model, [1, 2, 3], generation, SPECIAL).trace.nfe


def test_auto_drafts_up_to_the_cap_where_nodes_are_free_and_always_accepted():
    generation = GenerationSettings(gen_length=100, block_length=100, cache="none")
    for budget in (7, 12):
        decoder = SelfSpeculative(depth="auto", budget=budget, costs=FREE)
        trace = decoder.decode(Unshakable(0), [1, 2, 3], generation, SPECIAL).trace
        _, *drafted, _ = trace.events
        assert {event.nodes for event in drafted} == {budget}
        assert {len(event.picks) for event in drafted} == {budget}


def test_costs_are_measured_once_and_given_ones_are_not(tmp_path):
    model, generation = restless_model("dream"), GenerationSettings(gen_length=16, block_length=8)
    decoder = SelfSpeculative(depth="auto", budget=6)
    with pytest.raises(RuntimeError, match=r"decoder.depth=auto needs costs: call load"):
        decoder.decode(model, [1, 2, 3], generation, SPECIAL)
    decoder.load(model, tmp_path, generation, Workload())
    measured = decoder.measured()["costs"]
    assert [nodes for nodes, _ in measured] == [1, 2, 4, 6]
    assert decoder.decode(model, [1, 2, 3], generation, SPECIAL).trace.nfe <= 16

    file = tmp_path / "costs.json"
    file.write_text(json.dumps(measured))
    again = SelfSpeculative(depth="auto", budget=6, costs=str(file))
    again.load(model, tmp_path, generation, Workload())
    assert again.measured() == {}
    assert again.files() == [file]
    traces = [each.decode(model, [5, 6], generation, SPECIAL).trace for each in (decoder, again)]
    assert traces[0] == traces[1]


def test_a_file_of_costs_that_is_not_there_is_one_clear_line():
    with pytest.raises(FileNotFoundError, match=r"decoder.costs=nowhere.json: no such file; expected null"):
        SelfSpeculative(depth="auto", costs="nowhere.json")


@pytest.mark.parametrize("builder", ["chain", "best_first"])
def test_what_drafts_have_made_and_cost_so_far_is_known_to_the_next(builder):
    kept, costs = [], NodeCosts((1, 4, 32), (1.0, 1.5, 4.0))

    class Watched(SelfSpeculative):
        def new_draft_state(self):
            kept.append(super().new_draft_state())
            return kept[-1]

    decoder = Watched(depth="auto", builder=builder, costs=costs.rows)
    events = decoder.decode(restless_model("llada"), [1, 2], GENERATION, SPECIAL).trace.events
    later = [event for before, event in pairwise(events) if event.block == before.block]
    assert max(event.nodes for event in later) > 1
    assert kept[0].steps == sum(len(event.picks) for event in later)
    assert kept[0].spent == pytest.approx(sum(costs.relative(event.nodes) for event in later))


@pytest.mark.parametrize("cache", ["none", "prefix", "dual"])
def test_costs_are_those_of_the_work_ahead(cache):
    """Of the middle block behind a prompt as long as the run's, with the states of a whole batch in a forward."""
    model, generation = restless_model("llada"), GenerationSettings(gen_length=32, block_length=8, cache=cache)
    forwards = []
    model.transformer.register_forward_pre_hook(lambda _, parts: forwards.append(parts[0][0]))
    decoder = SelfSpeculative(depth="auto", budget=3)
    decoder.load(model, Path(), generation, Workload(prompt_length=7, batch_size=2))
    windows = [part for part in forwards if len(part.tokens) > 1]
    assert {len(part.tokens) for part in windows} == {2, 4, 6}
    start, stop = {"none": (0, 39), "prefix": (7 + 16, 39), "dual": (7 + 16, 7 + 24)}[cache]
    assert {(part.start, part.stop) for part in windows} == {(start, stop)}


@pytest.mark.parametrize(("family", "block", "kinds"), [("sdar", 4, {4, 8}), ("llada", 4, {16 + 7})])
def test_forwards_over_later_blocks_are_measured_apart_where_they_are_a_choice(family, block, kinds):
    """With full attention every forward computes the whole canvas, so that there is one cost."""
    made, shapes = case(family, block, 7, 16), set()
    made.model.transformer.register_forward_pre_hook(lambda _, parts: shapes.add(tuple(parts[0][0].tokens.shape)))
    decoder = SelfSpeculative(depth="auto", budget=3, lookahead=1)
    decoder.load(made.model, Path(), made.settings, Workload(prompt_length=7))
    costs = decoder.measured()["costs"]
    assert [count for count, *_ in costs] == [1, 2, 3]
    assert {len(seconds) for _, *seconds in costs} == {len(kinds)}
    assert {(nodes, rows) for nodes, rows in shapes if nodes > 1} == {
        (nodes, rows) for nodes in (2, 3) for rows in kinds
    }
    again = SelfSpeculative(depth="auto", budget=3, lookahead=1)
    again.restore(decoder.measured())
    again.load(made.model, Path(), made.settings, Workload())
    assert again.measured() == decoder.measured()
    assert outcome(made.decode(again)) == outcome(made.decode(Stepwise()))


@pytest.mark.parametrize(("dearer", "spans"), [(1.0, True), (9.0, False)])
def test_auto_computes_later_blocks_only_where_that_pays(dearer, spans):
    made = case("sdar", 4, 8, 24)
    costs = [[1, 1.0, dearer], [8, 1.2, 1.2 * dearer]]
    decoded = made.decode(SelfSpeculative("auto", costs=costs, budget=8, lookahead=1))
    assert {event.rows for event in decoded.trace.events if event.rows > 4} == ({8} if spans else set())
    assert outcome(decoded) == outcome(made.decode(Stepwise()))


class Clock:
    """A clock that forwards alone move on: by 16 for each of them, and by 1 for each of its states."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.now = 0.0
        model.transformer.register_forward_pre_hook(self._forward)

    def perf_counter(self) -> float:
        return self.now

    def _forward(self, _, inputs):
        self.now += 16 + sum(len(each.tokens) for each in inputs[0])


@pytest.mark.parametrize("family", ["llada", "sdar"])
@pytest.mark.slow
def test_trees_of_a_larger_batch_are_smaller_and_its_responses_the_same(family, monkeypatch):
    """A node of each response costs a batch of eight as much as eight nodes cost one response."""
    block_causal = {"grid": "absolute", "cache": "exact", "block_length": 16} if family == "sdar" else {}
    generation = replace(GENERATION, **block_causal)
    model = restless_model(family, 1, **({"causal_block": 16} if block_causal else {}))
    monkeypatch.setattr(node_costs, "time", Clock(model))
    prompts = [[1, 2], [9, 9, 3, 4]]
    stepwise = [Stepwise().decode(model, prompt, generation, SPECIAL).response_ids for prompt in prompts]
    nodes = []
    for size in (1, 8):
        decoder = SelfSpeculative(depth="auto", builder="best_first", budget=12)
        decoder.load(model, Path(), generation, Workload(prompt_length=4, batch_size=size))
        assert dict(decoder.measured()["costs"])[12] == 16 + 12 * size
        jobs = [
            partial(
                lambda prompt, model, decoder: decoder.decode(model, prompt, generation, SPECIAL),
                prompt,
                decoder=copy(decoder),
            )
            for prompt in prompts
        ]
        decoded = [share.result for share in ContinuousBatcher(model).run(jobs, size)]
        assert [each.response_ids for each in decoded] == stepwise
        events = [[event.nodes for event in each.trace.events] for each in decoded]
        assert len({tuple(each) for each in events}) > 1, "each response has its own depths"
        nodes.append(sum(map(sum, events)) / sum(map(len, events)))
    assert nodes[1] < nodes[0]


def test_costs_rise_in_steps_where_nodes_are_padded(monkeypatch):
    model = restless_model("llada")
    monkeypatch.setattr(model, "computed_nodes", lambda nodes: 1 << (nodes - 1).bit_length())
    decoder = SelfSpeculative(depth="auto", budget=8)
    decoder.load(model, Path(), GENERATION, Workload())
    costs = dict(decoder.measured()["costs"])
    assert list(costs) == list(range(1, 9))
    assert costs[3] == costs[4] != costs[5] == costs[6] == costs[7] == costs[8]
