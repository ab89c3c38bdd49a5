"""Intervals of paired ratios."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.metrics import bootstrap as statistics
from ssd.metrics.bootstrap import FEW, mean_interval, ratio_interval, ratio_of_sums

SECONDS = st.floats(0.01, 100.0)


@pytest.fixture
def measured() -> tuple[np.ndarray, np.ndarray]:
    """Prompts of very different length, on which the decoder is about 2 times faster."""
    generator = np.random.default_rng(1)
    reference = generator.uniform(1, 20, size=40)
    return reference, reference / generator.normal(2.0, 0.1, size=40)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(pairs=st.lists(st.tuples(SECONDS, SECONDS), min_size=2, max_size=12))
def test_the_ratio_is_that_of_the_sums_and_lies_in_its_interval(pairs):
    reference, decoder = zip(*pairs, strict=True)
    found = ratio_of_sums(reference, decoder)
    assert found["ratio"] == pytest.approx(sum(reference) / sum(decoder))
    assert 0 < found["low"] <= found["ratio"] * (1 + 1e-9)
    assert found["ratio"] * (1 - 1e-9) <= found["high"] < np.inf


def test_the_interval_holds_the_ratio_and_is_narrow_where_the_ratio_is_steady(measured):
    found = ratio_of_sums(*measured)
    assert found["low"] < found["ratio"] < found["high"]
    assert found["high"] - found["low"] < 0.15


def test_pairs_are_drawn_together(measured):
    """What a prompt costs both sides alike cancels; the same numbers paired wrongly give a wide interval."""
    reference, decoder = measured
    paired = ratio_of_sums(reference, decoder)
    shuffled = ratio_of_sums(reference, np.roll(decoder, 1))
    assert shuffled["ratio"] == pytest.approx(paired["ratio"])
    assert shuffled["high"] - shuffled["low"] > 4 * (paired["high"] - paired["low"])


def test_identical_sides_are_exactly_one():
    seconds = [0.1, 0.7, 1e-3, 55.5]
    assert ratio_of_sums(seconds, seconds) == {"ratio": 1.0, "low": 1.0, "high": 1.0}


def test_one_prompt_has_no_interval():
    assert ratio_of_sums([3.0], [2.0]) == {"ratio": 1.5, "low": None, "high": None}


def test_the_same_measurements_give_the_same_interval(measured):
    np.random.default_rng(7).random()
    assert ratio_of_sums(*measured) == ratio_of_sums(*measured)


def test_95_percent_intervals_cover_the_true_ratio_about_as_often(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(100):
        reference = generator.uniform(1, 3, size=60)
        found = ratio_of_sums(reference, reference / 2 * generator.lognormal(0, 0.3, size=60) / np.exp(0.045))
        hits += found["low"] <= 2.0 <= found["high"]
    assert 0.87 <= hits / 100 <= 0.99


@pytest.mark.parametrize("prompts", [2, 3, 5, 10, FEW - 1])
@pytest.mark.parametrize(("lengths", "least"), [("alike", 0.92), ("unlike", 0.88)])
def test_intervals_of_few_prompts_cover_the_true_ratio_as_well(prompts, lengths, least):
    """A bootstrap's percentiles cover it 50 to 90 times of 100 here."""
    generator = np.random.default_rng(prompts)
    hits, trials = 0, 1500
    for _ in range(trials):
        reference = generator.uniform(1, 3, prompts) if lengths == "alike" else generator.lognormal(0, 1, prompts)
        found = ratio_of_sums(reference, reference / 2 * np.exp(generator.normal(-0.005, 0.1, prompts)))
        hits += found["low"] <= 2.0 <= found["high"]
    assert hits / trials >= least


def test_three_prompts_of_a_decoder_against_itself_do_not_show_a_difference():
    found = ratio_of_sums([1.14, 1.01, 1.20], [1.00, 1.00, 1.13])
    assert found["low"] < 1 < found["ratio"] < found["high"]


@pytest.mark.parametrize("prompts", [1, 3, FEW - 1])
def test_few_equal_verdicts_leave_room_for_a_change_of_accuracy(prompts):
    low, high = mean_interval(np.zeros(prompts))
    assert -1 <= low < -2 / (prompts + 2) < 2 / (prompts + 2) < high <= 1


def test_the_intervals_of_small_changes_of_accuracy_cover():
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        low, high = mean_interval(generator.choice([-1.0, 0.0, 1.0], 10, p=[0.2, 0.7, 0.1]))
        hits += low <= -0.1 <= high
    assert hits / 400 >= 0.93


def test_shares_without_any_success_have_an_interval():
    assert ratio_interval(np.zeros(3), np.ones(3)) == (0, 0)
    assert ratio_interval(np.array([0.0, 0.0, 1.0]), np.ones(3))[0] == 0
