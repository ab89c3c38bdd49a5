"""Intervals of paired ratios."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.metrics import bootstrap as statistics
from ssd.metrics.bootstrap import ratio_of_sums

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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RESAMPLES", 200)
        found = ratio_of_sums(reference, decoder)
    assert found["ratio"] == pytest.approx(sum(reference) / sum(decoder))
    ratios = [left / right for left, right in pairs]
    slack = 1e-12 * max(ratios)
    assert min(ratios) - slack <= found["low"] <= found["high"] <= max(ratios) + slack


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
