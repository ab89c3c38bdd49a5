"""Differences of accuracy by hand and by brute force; responses that end and that do not."""

from itertools import combinations, product

import pytest
from scipy.stats import binomtest

from ssd.metrics.accuracy import accuracy_difference, lengths, mcnemar, pass_at


def once(*sides: list[bool]) -> list[list[list[bool]]]:
    """One response per prompt."""
    return [[[correct] for correct in side] for side in sides]


def test_mcnemar_is_the_binomial_test_of_the_discordant_pairs():
    for left, right in product(range(7), repeat=2):
        expected = binomtest(left, left + right).pvalue if left + right else 1.0
        assert mcnemar(left, right) == pytest.approx(expected)


def test_a_difference_by_hand():
    reference = [True] * 6 + [False] * 4
    decoder = [True] * 5 + [False] * 1 + [True] * 3 + [False]
    found = accuracy_difference(*once(reference, decoder))
    assert (found["only_reference"], found["only_decoder"]) == (1, 3)
    assert found["difference"] == pytest.approx(0.2)
    assert found["low"] < 0.2 < found["high"]
    assert found["mcnemar_p"] == pytest.approx(2 * (1 + 4) / 16)


def test_equal_sides_do_not_differ_at_all():
    found = accuracy_difference(*once([True, False, True] * 7, [True, False, True] * 7))
    assert (found["difference"], found["low"], found["high"], found["mcnemar_p"]) == (0, 0, 0, 1)


def test_further_responses_count_for_the_difference_but_are_no_further_pairs():
    found = accuracy_difference([[True, False], [True, True]], [[True, True], [False, True]])
    assert found["difference"] == pytest.approx(0)
    assert (found["only_reference"], found["only_decoder"], found["mcnemar_p"]) == (1, 0, 1)
    assert (found["low"], found["high"]) == (pytest.approx(-0.775, abs=1e-3), pytest.approx(0.775, abs=1e-3))


@pytest.mark.parametrize("n", range(1, 7))
def test_pass_at_k_is_the_share_of_k_subsets_with_a_right_one(n):
    for correct in product([False, True], repeat=n):
        for k in range(1, n + 1):
            subsets = list(combinations(correct, k))
            assert pass_at(k, [correct]) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_k_is_a_mean_over_prompts():
    assert pass_at(1, [[True, True], [False, False], [True, False]]) == pytest.approx(0.5)
    assert pass_at(2, [[True, True], [False, False], [True, False]]) == pytest.approx(2 / 3)


def test_responses_end_are_cut_off_or_are_empty():
    parts = [{"response_ids": [7, 7, 0, 0], "tokens_useful": useful} for useful in (4, 4, 2, 0)]
    assert lengths(parts) == {"cut_off": 0.5, "ended": 0.5, "empty": 0.25}
