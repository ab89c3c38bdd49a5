"""How many nodes pay, against brute force over all numbers of nodes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.speculation.draft_length import DraftLengthPolicy
from ssd.speculation.draft_tree import Node, Taken
from ssd.speculation.node_costs import NodeCosts
from tests.effort import examples


def tree_of(reached):
    """A chain of nodes with these probabilities of being reached after the current state."""
    return [Taken(Node(frozenset(), depth, depth), value) for depth, value in enumerate([1.0, *reached])]


def costs_of(values):
    return NodeCosts(tuple(range(1, len(values) + 1)), tuple(values))


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(
    reached=st.lists(st.floats(0, 1), max_size=40).map(lambda values: sorted(values, reverse=True)),
    extra=st.lists(st.floats(0, 0.7), min_size=1, max_size=31),
    steps=st.integers(0, 50),
    rate=st.floats(0.3, 8),
)
def test_no_other_number_of_nodes_leaves_a_better_ratio(reached, extra, steps, rate):
    costs = costs_of([1 + sum(extra[:count]) for count in range(len(extra) + 1)])
    budget, spent = len(extra) + 1, steps / rate
    taken = tree_of(reached)
    chosen = DraftLengthPolicy(costs, budget).choose(taken, steps, spent).nodes

    def ratio(count):
        return (steps + sum(node.reached for node in taken[:count])) / (spent + costs.relative(count))

    assert [node for node, _ in taken[: len(chosen)]] == chosen
    best = max(ratio(count) for count in range(1, min(budget, len(taken)) + 1))
    assert ratio(len(chosen)) == pytest.approx(best, rel=1e-12)


def test_one_node_where_others_cost_as_much_as_another_forward():
    assert len(DraftLengthPolicy(costs_of(range(1, 10)), 9).choose(tree_of([0.99] * 8), 0, 0.0).nodes) == 1


def test_all_nodes_where_they_are_free():
    assert len(DraftLengthPolicy(costs_of([1.0] * 9), 9).choose(tree_of([0.01] * 20), 0, 0.0).nodes) == 9


def test_a_step_up_in_cost_is_climbed_only_if_what_lies_beyond_pays():
    policy = DraftLengthPolicy(costs_of([1.0] * 4 + [1.5] * 4), 8)
    assert len(policy.choose(tree_of([0.9] * 7), 0, 0.0).nodes) == 8
    assert len(policy.choose(tree_of([0.9] * 3 + [0.2] * 4), 0, 0.0).nodes) == 4


def test_no_more_nodes_are_grown_than_can_pay():
    """The tree is asked for its nodes one by one; those that come too late are never made."""
    grown = iter(tree_of([0.9, 0.05, *[0.01] * 30]))
    DraftLengthPolicy(costs_of([1 + 0.3 * count for count in range(32)]), 32).choose(grown, 0, 0.0)
    assert len(list(grown)) >= 29


@settings(max_examples=examples(300), deadline=None, derandomize=True)
@given(
    reached=st.lists(st.floats(0, 1), min_size=1, max_size=9).map(lambda values: sorted(values, reverse=True)),
    masks=st.integers(1, 6),
    dearer=st.floats(1, 3),
    rate=st.floats(0.5, 8),
)
def test_later_blocks_are_computed_where_the_next_block_s_first_forward_gains_more_than_they_cost(
    reached, masks, dearer, rate
):
    """A chain of one pick per node, which fills the block's `masks`, against brute force."""
    seconds = [1 + 0.2 * count for count in range(10)]
    costs = NodeCosts(tuple(range(1, 11)), tuple(seconds), tuple(dearer * each for each in seconds))
    taken, steps, spent = tree_of(reached), 20, 20 / rate
    found = DraftLengthPolicy(costs, 10).choose_reach(
        iter(taken), steps, spent, lambda node: max(0, masks - node.depth), 1
    )

    def ratio(count, spans, bonus):
        gain = bonus * taken[masks - 1].reached if count >= masks else 0.0
        return (steps + sum(each.reached for each in taken[:count]) + gain) / (spent + costs.relative(count, spans))

    within = max(ratio(count, False, 0.0) for count in range(1, min(masks, len(taken)) + 1))
    bonus = max(within - 1, 0.0)
    beyond = max(ratio(count, True, bonus) for count in range(1, len(taken) + 1))
    assert found.spans == (beyond > within)
    assert found.ratio == pytest.approx(max(within, beyond), rel=1e-12)
    assert ratio(len(found.nodes), found.spans, bonus * found.spans) == pytest.approx(found.ratio, rel=1e-12)
