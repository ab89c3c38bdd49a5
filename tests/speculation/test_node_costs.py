"""What nodes cost: between the counts that were measured, beyond them, and where measurements wobble."""

import json
from functools import partial

import pytest
import torch

from ssd.speculation.node_costs import WARM_UPS, NodeCosts, measure

COSTS = NodeCosts((1, 4, 8), (0.010, 0.013, 0.021))


@pytest.mark.parametrize(
    ("nodes", "expected"), [(1, 1.0), (2, 1.1), (3, 1.2), (4, 1.3), (6, 1.7), (8, 2.1), (9, 2.3), (16, 3.7)]
)
def test_straight_lines_between_counts_and_beyond_the_last(nodes, expected):
    assert COSTS.relative(nodes) == pytest.approx(expected)


def test_more_nodes_never_cost_less():
    wobbling = NodeCosts((1, 2, 4, 8, 16), (0.011, 0.010, 0.012, 0.009, 0.010))
    relative = [wobbling.relative(nodes) for nodes in range(1, 40)]
    assert relative[0] == 1.0
    assert relative == sorted(relative)


def test_later_blocks_cost_as_given_in_forwards_without_them():
    costs = NodeCosts((1, 4), (0.010, 0.013), (0.012, 0.018))
    assert [costs.relative(nodes, spans=True) for nodes in (1, 2, 4)] == pytest.approx([1.2, 1.4, 1.8])
    assert costs.relative(4) == COSTS.relative(4, spans=True) == pytest.approx(1.3)


@pytest.mark.parametrize("costs", [COSTS, NodeCosts((1, 4), (0.010, 0.013), (0.012, 0.018))], ids=["pairs", "rows"])
def test_pairs_and_files_of_them_are_the_same_costs(costs, tmp_path):
    file = tmp_path / "costs.json"
    file.write_text(json.dumps(costs.rows))
    assert NodeCosts.read(file) == NodeCosts.of_rows(costs.rows) == costs


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[1, 0.1]], "expected 1 and at least one more, in rising order"),
        ([[2, 0.1], [4, 0.2]], "expected 1 and at least one more"),
        ([[1, 0.1], [4, 0.2], [3, 0.2]], "in rising order"),
        ([[1, 0.1], [2.5, 0.2]], "in rising order"),
        ([[1, 0.1], [2, -0.2]], "expected a positive number for each"),
        ([[1, 0.1], [2, "x"]], "expected a positive number for each"),
        ([[1, 0.1], [2]], "expected pairs of a node count and its seconds"),
        ([[1, 0.1], [2, 0.2, 0.3]], "expected pairs of a node count and its seconds"),
        ([[1, 0.1, 0.1], [2, 0.2, 0]], r"seconds \[0.1, 0\]: expected a positive number for each"),
    ],
)
def test_what_is_no_curve_is_refused(pairs, message):
    with pytest.raises(ValueError, match=message):
        NodeCosts.of_rows(pairs)


@pytest.mark.parametrize("content", ["", "3", "[3]", '{"a": 1}'])
def test_a_file_that_holds_no_curve_is_one_clear_line(tmp_path, content):
    file = tmp_path / "costs.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"costs.json: expected JSON as \[\[1, 0.010\]"):
        NodeCosts.read(file)


def test_every_forward_is_measured_in_turn():
    seen = []
    seconds = measure({count: partial(seen.append, count) for count in (1, 2, 8)}, torch.device("cpu"), repeats=3)
    assert seen == [1, 2, 8] * (WARM_UPS + 3)
    assert list(seconds) == [1, 2, 8]
    assert all(value > 0 for value in seconds.values())
