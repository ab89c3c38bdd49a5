"""How well maps can be told apart: the AUC against scipy's statistic, and what a separation is by construction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm

from ssd.metrics.decoding_map import LEAST_DEVIATION, auc, separation

SCORES = st.lists(st.integers(-3, 3), min_size=1, max_size=12).map(lambda values: np.array(values, dtype=float))


@given(SCORES, SCORES)
def test_the_auc_is_mann_and_whitneys_statistic(negatives: np.ndarray, positives: np.ndarray) -> None:
    pairs = len(negatives) * len(positives)
    assert auc(negatives, positives) == pytest.approx(mannwhitneyu(positives, negatives).statistic / pairs)


def naive(first: np.ndarray, second: np.ndarray) -> float:
    """Fit, score and compare prompt by prompt, with scipy's density."""

    def score(found: np.ndarray, fitted: np.ndarray) -> float:
        return sum(
            norm.logpdf(value, cells.mean(), cells.std(ddof=1) + LEAST_DEVIATION)
            for value, cells in zip(found, fitted.T, strict=True)
        )

    halves = []
    for start in (0, 1):
        fitted = [maps[start::2] for maps in (first, second)]
        held_out = [maps[1 - start :: 2] for maps in (first, second)]
        scores = [[score(found, fitted[1]) - score(found, fitted[0]) for found in maps] for maps in held_out]
        wins = [(b > a) + (b == a) / 2 for a in scores[0] for b in scores[1]]
        halves.append(sum(wins) / len(wins))
    return sum(halves) / 2


def test_the_separation_is_that_of_gaussians_per_cell() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(0, 1, (12, 5)), generator.normal(0.5, 1.5, (12, 5))
    assert 0.5 < separation(first, second) < 1
    assert separation(first, second) == pytest.approx(naive(first, second))
    assert separation(second, first) == pytest.approx(separation(first, second)), "the order of the sets is no matter"


def test_equal_maps_cannot_be_told_apart_and_shifted_ones_always() -> None:
    maps = np.random.default_rng(1).choice([-2.0, 0.0, 0.5, 2.0, 10.0], (8, 30))
    assert separation(maps, maps) == 0.5
    assert separation(maps, maps + 20) == 1.0
