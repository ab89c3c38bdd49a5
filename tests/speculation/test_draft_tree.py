"""Drafts: their shape, their merging, and the walk, against brute force."""

import itertools
from dataclasses import replace

import pytest
import torch

from ssd.decoding.block_decoder import BlockState
from ssd.decoding.canvas import Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.speculation.draft_memory import DraftMemory
from ssd.speculation.draft_tree import grow
from ssd.speculation.forecast import Forecast
from ssd.speculation.pick_model import PickModel
from ssd.speculation.verify import accepted_path
from tests.models import random_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62,))


def current_in_block(seed=0, block_length=12, **values) -> tuple[DecodeSession, BlockState]:
    """A block right after its opening forward, nothing of it committed yet."""
    model = random_model("llada", seed, sharpness=2.0)
    settings = GenerationSettings(gen_length=block_length, block_length=block_length, cache="none", **values)
    canvas = Canvas([1, 2, 3], settings, SPECIAL)
    session = DecodeSession.start(model, canvas, [1, 2, 3], settings, runner_up=True, draft_state=DraftMemory())
    block = next(canvas.blocks(settings, 0))
    state = canvas.tokens[block.start : block.stop].clone()
    _, scores = session.open(Draft.of_state(state, 0), block)
    return session, BlockState(block, state, state == 63, scores, 0)


def draft_of(current_and_session, builder, depth, width, budget, alternatives=False, merged=True) -> Draft:
    session, current = current_and_session
    forecast = Forecast(session, current, depth, PickModel())
    return grow(forecast, current, builder, depth, width, budget, alternatives, merged)


def test_a_chain_adds_the_ranked_picks_one_by_one():
    session, current = current_in_block()
    draft = draft_of((session, current), "chain", 5, 1, 6)
    ranking = session.rank(current.scores, Draft.of_state(current.state, 0), current.block)
    state = current.state.clone()
    assert draft.depths == (0, 1, 2, 3, 4, 5)
    for depth in range(6):
        assert torch.equal(draft.states[depth], state)
        row = ranking.order[0, depth]
        state[row] = current.scores.token[0, row]


@pytest.mark.parametrize("builder", ["chain", "kary", "best_first"])
def test_a_tree_has_a_node_for_every_way_and_its_parent(builder):
    width = 1 if builder == "chain" else 2
    draft = draft_of(current_in_block(), builder, 3, width, 10_000, merged=False)
    assert draft.nodes == sum(width**depth for depth in range(4))
    assert draft.parents is not None
    assert draft.parents[0] == 0
    for node, parent in list(enumerate(draft.parents))[1:]:
        assert parent < node
        assert draft.depths[node] == draft.depths[parent] + 1
        assert (draft.states[node] != draft.states[parent]).sum() == 1
    ways = {(parent, tuple(state)) for parent, state in zip(draft.parents, draft.states.tolist(), strict=True)}
    assert len(ways) == draft.nodes
    assert draft_of(current_in_block(), "kary", 2, 2, 100).parents is None, "merged states have several parents"


def test_a_path_through_a_tree_follows_parents():
    """Nodes 3 and 4 are one state, reached by two ways: the path goes on from the accepted node before it."""
    states = torch.tensor([[9, 9], [1, 9], [9, 2], [1, 2], [1, 2]])
    draft = Draft(states, torch.tensor([0, 1, 1, 2, 2]), (0, 1, 1, 2, 2), (0, 0, 0, 1, 2))
    after = torch.tensor([[9, 2], [1, 2], [1, 2], [1, 2], [1, 2]])
    assert accepted_path(draft, after, torch.tensor([1, 2, 2, 3, 3])) == [0, 2, 4]


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_kary_holds_every_merged_state_within_reach(depth, width):
    """Brute force: follow every sequence of `width` choices among the remaining ranked rows; count distinct states."""
    session, current = current_in_block()
    draft = draft_of((session, current), "kary", depth, width, 10_000)
    order = session.rank(current.scores, Draft.of_state(current.state, 0), current.block).order[0].tolist()
    expected = set()
    for length in range(depth + 1):
        for choices in itertools.product(range(width), repeat=length):
            remaining = list(order)
            expected.add(frozenset(remaining.pop(choice) for choice in choices))
    states = [frozenset((state != 63).nonzero().flatten().tolist()) for state in draft.states]
    assert len(states) == len(set(states)), "equal states are one node"
    assert set(states) == expected
    assert draft.drafted == tuple(sum(len(state) == d for state in expected) for d in range(1, depth + 1))


def test_alternatives_draft_the_second_best_token_where_it_is_likelier_than_another_row():
    session, current = current_in_block(block_length=4)
    confidence = torch.tensor([[0.01, 0.5, 0.02, 0.01]], dtype=torch.float64)
    token, other = torch.tensor([[10, 11, 12, 13]]), torch.tensor([[20, 21, 22, 23]])
    current = replace(current, scores=Scores(torch.tensor([0]), token, confidence, confidence, other, confidence * 0.9))
    draft = draft_of((session, current), "kary", 1, 2, 100, alternatives=True)
    assert draft.states.tolist() == [[63, 63, 63, 63], [63, 11, 63, 63], [63, 21, 63, 63]]
    draft = draft_of((session, current), "kary", 1, 2, 100)
    assert draft.states.tolist() == [[63, 63, 63, 63], [63, 11, 63, 63], [63, 63, 12, 63]]


@pytest.mark.parametrize("budget", [2, 5, 9, 17])
def test_best_first_takes_the_likeliest_nodes_and_its_children_follow_their_parents(budget):
    draft = draft_of(current_in_block(), "best_first", 8, 3, budget)
    assert draft.nodes == budget
    sets = [frozenset((state != 63).nonzero().flatten().tolist()) for state in draft.states]
    for index, node in enumerate(sets[1:], start=1):
        assert any(len(node - parent) == 1 and parent < node for parent in sets[:index])


def test_no_node_is_spent_on_a_full_block():
    for builder in ("chain", "kary", "best_first"):
        session, current = current_in_block(block_length=4)
        width = 1 if builder == "chain" else 4
        draft = draft_of((session, current), builder, 9, width, 1000)
        assert (draft.states == 63).any(dim=1).all()
        assert max(draft.depths) == 3


def test_the_walk_follows_successors_and_nothing_else():
    states = torch.tensor([[9, 9, 9], [1, 9, 9], [9, 2, 9], [1, 2, 9], [1, 5, 9]])
    draft = Draft(states, torch.tensor([0, 1, 1, 2, 2]), (0, 1, 1, 2, 2))
    leads_to = torch.tensor([[9, 2, 9], [1, 5, 9], [1, 2, 9], [1, 2, 3], [1, 5, 4]])
    steps = torch.tensor([1, 2, 2, 3, 3])
    assert accepted_path(draft, leads_to, steps) == [0, 2, 3]
    assert accepted_path(draft, leads_to, steps + 1) == [0], "the same contents at another step are another state"
    leads_to[0, 2] = 7
    assert accepted_path(draft, leads_to, steps) == [0]
