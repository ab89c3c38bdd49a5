"""What figures work out before they draw, by hand and by property."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.report.figures import prediction
from ssd.report.figures.confidence import Drafts, interval
from ssd.report.figures.intervals import ratio_of_forwards, wilson
from ssd.report.figures.layout import inches, wrap
from ssd.report.figures.order_maps import MOST_CELLS, times, transitions
from ssd.report.figures.pareto import front
from ssd.report.figures.speed import MOST_TICKS, ticks
from ssd.report.figures.style import SMALL, look, styled


def test_the_front_is_what_nothing_beats():
    assert front([(1, 90), (2, 80), (2, 85), (1.5, 70), (3, 85), (0.5, 90), (4, 10)]) == [(4, 10), (3, 85), (1, 90)]


@given(st.lists(st.tuples(st.floats(0.1, 9), st.floats(0, 100)), min_size=1))
def test_every_point_is_on_the_front_or_beaten_by_it(points):
    best = front(points)
    for x, y in points:
        assert (x, y) in best or any(u >= x and v >= y for u, v in best)


def test_a_map_of_decoding_left_to_right_is_the_line_above_the_diagonal():
    found = transitions([np.arange(6), np.arange(6)])
    assert np.nan_to_num(found).tolist() == np.eye(6, k=-1).tolist()


def test_positions_of_one_step_share_what_follows_and_what_never_followed_is_blank():
    found = np.nan_to_num(transitions([np.array([0, 1, 1, 2, -1])]))
    assert found[:, 0].tolist() == [0, 0.5, 0.5, 0, 0], "after 0 came 1 and 2 together"
    assert found[:, 1].tolist() == found[:, 2].tolist() == [0, 0, 0, 1, 0]
    assert not found[:, 3:].any(), "nothing followed the last one, and the fifth was never committed"


def test_times_are_shares_of_responses_by_step():
    assert times([np.array([0, 1]), np.array([1, 0])]).tolist() == [[0.5, 0.5], [1, 1]]
    assert times([np.array([0, -1])]).tolist() == [[1, 0]]


def test_long_responses_are_shown_in_strips():
    order = np.arange(3 * MOST_CELLS + 6)
    found = transitions([order])
    assert max(found.shape) <= MOST_CELLS
    assert np.nansum(found, axis=0) == pytest.approx(np.ones(found.shape[1]))
    assert times([order])[-1] == pytest.approx(np.ones(found.shape[1]))


def test_intervals_of_shares_and_of_ratios():
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    samples = pd.DataFrame({"index": [0, 1, 2], "reference.nfe": [8, 8, 8], "decoder.nfe": [2, 4, 8]})
    low, high = ratio_of_forwards(samples)
    assert 0 < low < 1 < 24 / 14 < high, "three prompts are few"
    low, high = ratio_of_forwards(pd.concat([samples.assign(index=samples["index"] + 3 * n) for n in range(10)]))
    assert 1 < low < 24 / 14 < high < 4
    assert ratio_of_forwards(samples[:1]) is None


def test_drafts_of_one_prompt_are_no_trials_of_their_own():
    prompts, accepted = np.array([0, 0, 1, 1, 2, 2]), np.array([True, True, True, False, False, False])
    once, often = (
        Drafts(np.tile(prompts, times), np.ones(6 * times), np.tile(accepted, times), 0) for times in (1, 50)
    )
    low, high = interval(once, once.confidences == 1)
    assert 0 <= low < 0.5 < high <= 1
    assert interval(often, often.confidences == 1) == (low, high)
    assert np.isnan(interval(once, once.prompts == 0)).all()


@given(st.floats(0.01, 0.95), st.floats(1.05, 100))
def test_ticks_are_few_and_hold_1(low, high):
    found = ticks(low, high)
    assert 1 in found
    assert len(found) <= MOST_TICKS
    assert all(low <= tick <= high for tick in found)
    assert low > 0.5 or found[0] < 1, "slowdowns can be read off"


@given(st.floats(0.01, 0.95), st.floats(1.05, 100))
def test_ticks_of_predictions_hold_1(low, high):
    found = prediction.ticks(low, high)
    assert 1 in found
    assert len(found) <= 9


@given(st.text(st.characters(codec="latin-1", exclude_categories=["C", "Z"]) | st.just(" ")), st.floats(0.5, 3))
@pytest.mark.slow
def test_wrapped_text_is_no_wider_and_loses_no_letter(text, width):
    lines = wrap(text, width).split("\n")
    assert all(inches(line, SMALL) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_decoders_look_the_same_in_every_figure_and_known_ones_differ():
    known = [look(name) for name in ("stepwise", "ssd", "freedave", "psd", "spiffy", "fast_dllm", "wino", "apd")]
    assert len({found.colour for found in known}) == len({found.marker for found in known}) == len(known)
    with styled(["ssd", "one's own", "another's"]):
        assert len({look(name).colour for name in ("ssd", "one's own", "another's")}) == 3
    own = [f"own_{number}" for number in range(8)]
    with styled(own):
        unused = {look(name).colour for name in own}
        assert look("own_3") == look("own_3")
    assert len(unused) == 8
    assert not unused & {found.colour for found in known}
