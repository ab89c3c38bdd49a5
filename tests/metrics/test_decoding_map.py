"""The directed decoding map, against its rule in lists and loops."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssd.metrics.decoding_map import decoding_map

CONFIDENCES = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.sampled_from([math.nan, 0.0, 0.25, 0.5, 1.0]),
)


def naive(confidences: np.ndarray) -> list[list[float]]:
    """Cell by cell."""
    steps = confidences.tolist()
    found = [[0.0] * len(steps[0])]
    for number in range(1, len(steps)):
        before, now = steps[number - 1], steps[number]
        changes = [after - earlier for earlier, after in zip(before, now, strict=True)]
        rises, falls = any(change > 0 for change in changes), any(change < 0 for change in changes)
        row = []
        for position, change in enumerate(changes):
            seen = any(not math.isnan(step[position]) for step in steps[:number])
            if not seen and not math.isnan(now[position]):
                row.append(10.0 if rises and falls else 0.5 if rises else -0.5 if falls else 0.0)
            else:
                row.append(2.0 if change > 0 else -2.0 if change < 0 else 0.0)
        found.append(row)
    return found


@given(CONFIDENCES)
def test_the_map_is_its_rule_cell_by_cell(confidences: np.ndarray) -> None:
    assert decoding_map(confidences).tolist() == naive(confidences)


def test_a_response_of_six_steps_by_hand() -> None:
    nan = math.nan
    steps = [
        [0.9, nan, nan, nan, nan, nan],  # nothing to compare with
        [0.9, 0.8, nan, nan, nan, nan],  # nothing changed
        [0.95, 0.8, 0.7, nan, nan, nan],  # one rose
        [0.95, 0.7, 0.6, 0.5, nan, nan],  # two fell
        [0.99, 0.6, 0.6, 0.5, 0.9, nan],  # one rose, one fell
        [nan, 0.7, 0.7, 0.7, 0.7, 0.9],  # a row that was not computed
    ]
    assert decoding_map(np.array(steps)).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [2, 0, 0.5, 0, 0, 0],
        [0, -2, -2, -0.5, 0, 0],
        [2, -2, 0, 0, 10, 0],
        [0, 2, 2, 2, -2, 10],
    ]
