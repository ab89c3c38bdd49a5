"""Covers hold every value, or every pair of values, with far fewer tests than the full product."""

from itertools import combinations, product

import pytest

from tests.effort import LONG, by_turns, covering, examples, some

AXES = (("a", "b", "c", "d"), (1, 2, 3), ("x", "y"), (True, False))
EVERY = list(product(*AXES))


def test_every_pair_of_values_is_in_a_combination():
    chosen = [EVERY[place] for place in covering(EVERY, 2)]
    for (i, left), (j, right) in combinations(enumerate(AXES), 2):
        assert {(values[i], values[j]) for values in chosen} == set(product(left, right))


def test_there_are_far_fewer_than_the_full_product():
    assert len(covering(EVERY, 2)) == 48 if LONG else len(covering(EVERY, 2)) <= 14


def test_a_quick_run_has_every_value_in_as_many_as_the_longest_axis():
    chosen = [EVERY[place] for place in covering(EVERY, 1)]
    assert [set(column) for column in zip(*chosen, strict=True)] == [set(axis) for axis in AXES]
    assert LONG or len(chosen) == 4


@pytest.mark.parametrize("strength", [1, 2])
def test_a_single_axis_is_never_thinned(strength):
    assert covering([(1,), (2,), (3,)], strength) == [0, 1, 2]


def test_effort_scales_examples_and_samples():
    assert 1 <= examples(40) <= 40
    assert examples(1) == 1
    assert some(range(10), 5) == (list(range(10)) if LONG else [0, 5])


def test_turns_leave_out_no_item_of_either_side():
    pairs = by_turns("ab", (1, 2, 3))
    assert pairs == (list(product("ab", (1, 2, 3))) if LONG else [("a", 1), ("b", 2), ("a", 3)])
