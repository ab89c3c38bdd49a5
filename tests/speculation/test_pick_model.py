"""The estimate: probabilities, what raises them, and that it learns from what it is shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.speculation.pick_model import HORIZON, PRIOR, PickModel, features_of

numbers = st.floats(-700, 40)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(certainty=st.lists(numbers, min_size=1, max_size=HORIZON), age=st.integers(1, 40), data=st.data())
def test_odds_are_probabilities_however_much_was_learnt(certainty, age, data):
    rows = sorted(range(len(certainty)), key=lambda row: (-certainty[row], row))
    some = st.frozensets(st.integers(0, len(rows)))
    last = data.draw(some)
    features = features_of(rows, certainty, age, last, last | data.draw(some))
    pick_model = PickModel()
    for picked in data.draw(st.lists(st.sampled_from(range(len(rows))), max_size=30)):
        pick_model.learn(features, picked)
    odds = pick_model.odds(features)
    assert len(odds) == len(rows)
    assert all(0 <= odd <= 1 for odd in odds)
    assert sum(odds) == pytest.approx(1)


def odds_of(rows, certainty, age=1, last=(), filled=()):
    return PickModel().odds(features_of(rows, certainty, age, last, filled))


def test_the_surer_row_is_likelier_and_the_less_so_the_older_the_forecast():
    certainty = [5.0, 4.0, 2.0, 1.0]
    for age in (1, 4):
        odds = odds_of(range(4), certainty, age)
        assert odds == sorted(odds, reverse=True)
    assert odds_of(range(4), certainty, age=1)[0] > odds_of(range(4), certainty, age=9)[0]


def test_among_equals_the_lower_position_is_all_but_certain():
    first, *others = odds_of([0, 1, 2], [39.0, 39.0, 39.0])
    assert first > 0.85
    assert first > odds_of([0, 1, 2], [39.0, 38.99, 38.98])[0] + 0.3
    assert sum(others) < 0.15


def test_the_right_neighbour_of_the_last_pick_comes_to_the_front():
    certainty = [3.0, 3.1, 3.2, 3.3]
    rows = [3, 2, 1, 0]
    before = odds_of(rows, certainty)
    assert odds_of(rows, certainty, last={0}, filled={0})[rows.index(1)] > 2 * before[rows.index(1)]
    assert before[rows.index(1)] < odds_of(rows, certainty, filled={0})[rows.index(1)]


def test_it_comes_to_expect_what_it_is_shown_and_another_response_starts_anew():
    features = features_of(range(4), [4.0, 3.0, 2.0, 1.0], 1, (), ())
    pick_model = PickModel()
    seen = [pick_model.odds(features)[2]]
    for _ in range(40):
        pick_model.learn(features, picked=2)
        seen.append(pick_model.odds(features)[2])
    assert seen == sorted(seen)
    assert seen[-1] > 1.3 * seen[0]
    assert pick_model.weights != PRIOR
    assert PickModel().weights == PRIOR
