"""Pairwise combinations cover every pair, with far fewer tests than the full product."""

from itertools import combinations, product

from tests.effort import LONG, examples, pairwise, some

AXES = (("a", "b", "c", "d"), (1, 2, 3), ("x", "y"), (True, False))
EVERY = list(product(*AXES))


def test_every_pair_of_values_is_in_a_combination():
    chosen = [EVERY[place] for place in pairwise(EVERY)]
    for (i, left), (j, right) in combinations(enumerate(AXES), 2):
        assert {(values[i], values[j]) for values in chosen} == set(product(left, right))


def test_there_are_far_fewer_than_the_full_product():
    assert len(pairwise(EVERY)) == 48 if LONG else len(pairwise(EVERY)) <= 14


def test_a_single_axis_is_never_thinned():
    assert pairwise([(1,), (2,), (3,)]) == [0, 1, 2]


def test_effort_scales_examples_and_samples():
    assert 1 <= examples(40) <= 40
    assert examples(1) == 1
    assert some(range(10), 5) == (list(range(10)) if LONG else [0, 5])
