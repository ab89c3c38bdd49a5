"""Draft graphs: what lies over a state, which file is one, and that no graph at all can change a response."""

import json
import random
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.psd import ParallelSelfSpeculative
from baselines.stepwise import Stepwise
from ssd.decoding.block_decoder import BlockState
from ssd.decoding.session import DecodeSession
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.draft_graph import DraftGraph, GraphNode, RankedPick, draft_from_graph
from ssd.speculation.forecast import Forecast
from tests.effort import examples
from tests.generations import generations
from tests.graphs import random_graph, random_graph_file
from tests.models import FAMILIES
from tests.restless import restless_model
from tests.speculation.test_draft_tree import current_in_block
from tests.speculation.test_lossless import SPECIAL, order


def graph_of(*nodes: list[list[tuple[int, int]]]) -> DraftGraph:
    made = [tuple(tuple(RankedPick(*pick) for pick in step) for step in steps) for steps in nodes]
    return DraftGraph(tuple(GraphNode(steps, 0.5) for steps in made), {"by": "hand"})


@pytest.mark.slow
@settings(max_examples=examples(200, 2), deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    family=st.sampled_from(FAMILIES),
    model_seed=st.integers(0, 20),
    prompt=st.lists(st.integers(0, 60), min_size=1, max_size=9),
    generation=generations(),
    graph_seed=st.integers(0, 200),
    budget=st.one_of(st.none(), st.integers(2, 12)),
)
def test_no_graph_changes_a_response(family, model_seed, prompt, generation, graph_seed, budget):
    model = restless_model(family, model_seed)
    decoder = SelfSpeculative(builder="spiffy", graph=random_graph_file(graph_seed), budget=budget)
    reference = Stepwise().decode(model, prompt, generation, SPECIAL)
    decoded = decoder.decode(model, prompt, generation, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert order(decoded.trace) == order(reference.trace)
    assert decoded.trace.nfe <= reference.trace.nfe
    nodes = budget or len(random_graph(graph_seed).nodes) + 1
    assert max(event.nodes for event in decoded.trace.events) <= nodes


def in_progress(seed: int, committed: int) -> tuple[DecodeSession, BlockState]:
    """A block of twelve rows, some of them filled, with the scores of its opening forward in hand."""
    session, current = current_in_block(seed)
    current.state[random.Random(seed).sample(range(12), committed)] = 5
    return session, replace(current, masked=current.state == 63, step=committed)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("committed", "depth", "budget"), [(1, 9, 99), (4, 9, 99), (6, 2, 99), (9, 9, 5), (11, 9, 99)])
def test_a_graph_lies_over_a_state_as_its_words_say(seed, committed, depth, budget):
    """Brute force, greedy, a pick a step: sort the masked rows by confidence, and fill in what a node says."""
    session, current = in_progress(seed, committed)
    graph = random_graph(seed)
    confidence = current.scores.confidence[0].tolist()
    ranked = sorted((row for row in range(12) if current.masked[row]), key=lambda row: (-confidence[row], row))
    tokens = list(zip(current.scores.token[0].tolist(), current.scores.other_token[0].tolist(), strict=True))
    expected = [(current.state.tolist(), current.step, 0)]
    for node in graph.nodes:
        fits = all(len(step) == 1 for step in node.steps) and all(p < len(ranked) for p, _ in node.picks)
        if fits and len(node.picks) < len(ranked) and len(node.steps) <= depth and len(expected) < budget:
            state = current.state.tolist()
            for position, token in node.picks:
                state[ranked[position]] = tokens[ranked[position]][token]
            expected.append((state, current.step + len(node.steps), len(node.steps)))
    draft = draft_from_graph(graph, Forecast(session, current, 9), current, depth, budget)
    assert list(zip(draft.states.tolist(), draft.steps.tolist(), draft.depths, strict=True)) == expected


def test_a_step_that_commits_several_picks_is_a_group_of_as_many():
    session, current = current_in_block(block_length=9, steps=4)  # 3, 2, 2 and 2 picks
    pairs, triple = [[(0, 0), (1, 0)]], [[(0, 0), (2, 0), (1, 1)]]
    graph = graph_of(pairs, triple, [*triple, [(3, 0), (4, 0)]], [*triple, [(3, 0), (4, 0), (5, 0)]])
    draft = draft_from_graph(graph, Forecast(session, current, 9), current, 9, 99)
    assert draft.drafted == (1, 1)
    assert (draft.states != 63).sum(dim=1).tolist() == [0, 3, 5]
    assert draft.steps.tolist() == [0, 1, 2]


@pytest.mark.parametrize("ranking", ["low_confidence", "maskgit_plus"])
def test_each_step_takes_the_tokens_that_its_own_noise_foretells(ranking):
    """Positions rank as they are expected to be picked, step after step; tokens are those of the pick's step."""
    session, current = current_in_block(block_length=12, temperature=1.0, ranking=ranking)
    forecast = Forecast(session, current, 4)
    chain = SelfSpeculative(depth=4).draft(session, current)
    nodes = [[[(p, 0)] for p in range(length)] for length in range(1, 5)]
    assert torch.equal(draft_from_graph(graph_of(*nodes), forecast, current, 9, 99).states, chain.states)
    foreseen = session.rule.foresee(current.scores, torch.arange(2), current.block, runner_up=True)
    first, second = forecast.rows[:2]
    draft = draft_from_graph(graph_of([[(1, 1)]], [[(1, 1)], [(0, 0)]], [[(0, 1)]]), forecast, current, 9, 99)
    assert draft.states[1, second] == foreseen.other_token[0, second]
    assert draft.states[2, [second, first]].tolist() == [foreseen.other_token[0, second], foreseen.token[1, first]]
    assert draft.states[3, first] == foreseen.other_token[0, first]


@pytest.mark.parametrize("ranking", ["random", "origin"])
def test_an_order_that_is_known_in_advance_is_the_order_of_ranks(ranking):
    session, current = current_in_block(block_length=12, ranking=ranking)
    forecast = Forecast(session, current, 6)
    chain = SelfSpeculative(depth=6).draft(session, current)
    filled = [set((state != 63).nonzero().flatten().tolist()) for state in chain.states]
    assert all(set(forecast.rows[: len(rows)]) == rows for rows in filled)
    assert sorted(forecast.rows) == list(range(12))


def test_states_that_come_to_the_same_are_one_node():
    """Sampled, the second-best token of one step may be the best of another."""
    session, current = current_in_block(block_length=12, temperature=1.0)
    forecast = Forecast(session, current, 4)
    first, second = forecast.rows[:2]
    forecast._token[1][first] = forecast._other_token[0][first]
    forecast._token[1][second] = forecast._token[0][second]
    draft = draft_from_graph(graph_of([[(0, 1)], [(1, 0)]], [[(1, 0)], [(0, 0)]]), forecast, current, 9, 99)
    assert draft.nodes == 2


def test_the_first_nodes_are_the_smaller_graph():
    session, current = in_progress(3, committed=1)
    forecast = Forecast(session, current, 9)
    states = [draft_from_graph(random_graph(4), forecast, current, 9, budget).states.tolist() for budget in range(1, 9)]
    assert all(larger[:-1] == smaller for smaller, larger in pairwise(states))


def test_drafts_are_only_scored_for_their_second_best_tokens_where_the_graph_has_some(tmp_path):
    for token in (0, 1):
        graph_of([[(0, token)]]).write(tmp_path / "graph.json")
        decoder = SelfSpeculative(builder="spiffy", graph=str(tmp_path / "graph.json"))
        assert decoder.runner_up is bool(token)
        assert decoder.budget == 2
        assert decoder.files() == [tmp_path / "graph.json"]
    assert SelfSpeculative().files() == []


@pytest.mark.parametrize("seed", range(20))
def test_a_graph_survives_its_file(seed, tmp_path):
    graph = random_graph(seed)
    graph.write(tmp_path / "graph.json")
    read = DraftGraph.read(tmp_path / "graph.json")
    assert [node.steps for node in read.nodes] == [node.steps for node in graph.nodes]
    assert [node.reached for node in read.nodes] == pytest.approx([node.reached for node in graph.nodes], abs=1e-4)
    assert read.calibrated_on == graph.calibrated_on


def file_with(**changes) -> str:
    node = {"steps": [[[0, 0]], [[1, 1]]], "reached": 0.5}
    return json.dumps({"format": 1, "calibrated_on": {}, "nodes": [node | changes.pop("node", {})]} | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("\xff{", "not a draft graph"),
        ("[]", 'expected "format": 1'),
        (file_with(format=2), 'expected "format": 1'),
        (file_with(nodes=[]), 'expected a list of "nodes"'),
        (file_with(nodes={}), 'expected a list of "nodes"'),
        (file_with(calibrated_on=None), '"calibrated_on"'),
        (file_with(nodes=[7]), "node 0: expected .*steps"),
        (file_with(nodes=[{"steps": [[[0, 0]]]}]), "node 0: expected .*reached"),
        (file_with(node={"reached": "often"}), "node 0: expected .*reached"),
        (file_with(node={"steps": [[[0, 0, 0]]]}), "node 0: expected .*steps"),
        (file_with(node={"steps": [[0, 0]]}), "node 0: expected .*steps"),
        (file_with(node={"steps": []}), "node 0: expected steps of pairs of ranks"),
        (file_with(node={"steps": [[[0, 0]], []]}), "node 0: expected steps of pairs of ranks"),
        (file_with(node={"steps": [[[-1, 0]]]}), "node 0: expected steps of pairs of ranks"),
        (file_with(node={"steps": [[[0.5, 0]]]}), "node 0: expected steps of pairs of ranks"),
        (file_with(node={"steps": [["ab"]]}), "node 0: expected steps of pairs of ranks"),
        (file_with(node={"steps": [[[0, 2]]]}), "node 0: expected token ranks below 2"),
        (file_with(node={"steps": [[[0, 0]], [[0, 1]]]}), "node 0 picks a position twice"),
        (file_with(nodes=[{"steps": [[[0, 0]]], "reached": 1}] * 2), "node 1 holds the picks of an earlier one"),
    ],
)
def test_a_broken_file_is_one_clear_line(text, message, tmp_path):
    file = tmp_path / "graph.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as caught:
        SelfSpeculative(builder="spiffy", graph=str(file))
    assert str(caught.value).startswith(f"decoder.graph={file}: not a draft graph (")
    assert "ssd-bench calibrate --graph" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"builder": "spiffy"}, "decoder.graph=None: .*needs a draft graph; make one with ssd-bench calibrate"),
        ({"builder": "spiffy", "graph": ""}, "decoder.graph=: .*needs a draft graph"),
        ({"builder": "spiffy", "graph": 3}, "decoder.graph=3: .*needs a draft graph"),
        ({"graph": "file.json"}, "decoder.graph=file.json: expected null, for decoder.builder=chain reads no graph"),
        ({"builder": "spiffy", "graph": "x", "width": 2}, "decoder.width=2, .*spiffy drafts what its graph says"),
        ({"builder": "spiffy", "graph": "x", "alternatives": True}, "decoder.alternatives=True: spiffy drafts"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SelfSpeculative(**options)


def test_a_parallel_rule_takes_no_graph():
    with pytest.raises(ValueError, match=r"decoder.builder='spiffy': expected one of chain, kary, best_first$"):
        ParallelSelfSpeculative(builder="spiffy")


def test_a_file_that_is_not_there_is_one_clear_line():
    with pytest.raises(
        FileNotFoundError, match=r"decoder.graph=owner/name/graph.json: no such file; make one with ssd-bench"
    ):
        SelfSpeculative(builder="spiffy", graph="owner/name/graph.json")


def test_a_path_may_be_relative_to_the_working_folder_or_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = SelfSpeculative(builder="spiffy", graph="checkpoints/llada_tiny/draft_graph.json")
    assert shipped.files()[0].is_absolute()
    graph_of([[(0, 0)]]).write(tmp_path / "mine.json")
    assert SelfSpeculative(builder="spiffy", graph="mine.json").budget == 2
