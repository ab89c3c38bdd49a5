"""How left to right a response was committed: by hand, against scipy, and in runs, with the warning about it."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.trace import Event, Pick, Trace
from ssd.metrics.decode_order import LEFT_TO_RIGHT, mean_correlation, order_correlation
from ssd.report.console.run_table import print_summary
from tests.block_cases import case


def event(*positions: int, block: int = 0, accepted: tuple[int, ...] = (), revoked: tuple[int, ...] = ()) -> Event:
    picks = tuple(Pick(position, 7, 0.5) for position in positions)
    return Event("decode", block, 0, 1, 8, picks, accepted, accepted, revoked)


def stepwise(order: list[int], block_length: int) -> Trace:
    """One pick per forward, the blocks from left to right, `order` within each."""
    blocks = range(len(order) // block_length)
    return Trace([event(row, block=block) for block in blocks for row in order if row // block_length == block])


@given(st.permutations(range(12)), st.sampled_from([1, 2, 3, 4, 6, 12]))
def test_without_ties_it_is_kendalls_tau_pooled_over_blocks(order, block_length):
    trace = stepwise(order, block_length)
    found = order_correlation(trace, block_length)
    committed = [pick.position for pick in trace.picks]
    assert found["response"] == pytest.approx(kendalltau(committed, range(12)).statistic)
    blocks = [committed[start : start + block_length] for start in range(0, 12, block_length)]
    if block_length == 1:
        assert found["within_blocks"] is None, "there is no order inside a block of one"
    else:  # blocks of one length have as many pairs each
        taus = [kendalltau(block, range(block_length)).statistic for block in blocks]
        assert found["within_blocks"] == pytest.approx(np.mean(taus))


@given(st.lists(st.integers(0, 5), min_size=2, max_size=20))
def test_positions_that_one_step_commits_have_no_order(steps):
    """tau-b sees the same pairs, but divides by the geometric mean of all pairs and of those that have an order."""
    groups = [[position for position, step in enumerate(steps) if step == value] for value in range(6)]
    found = order_correlation(Trace([event(*group) for group in groups if group]), 20)["response"]
    pairs = len(steps) * (len(steps) - 1) / 2
    ordered = pairs - sum(len(group) * (len(group) - 1) / 2 for group in groups)
    if not ordered:
        assert found is None
    else:
        tau_b = kendalltau(range(len(steps)), steps, variant="b").statistic
        assert found == pytest.approx(tau_b * np.sqrt(pairs / ordered))


def test_words_taken_whole_from_left_to_right_are_in_perfect_order():
    found = order_correlation(Trace([event(2, 0, 1), event(3, 5, 4), event(6)]), 7)
    assert found == {"within_blocks": 1, "response": 1}


def test_blocks_follow_each_other_whatever_the_model_does():
    found = order_correlation(stepwise([2, 1, 0, 5, 4, 3], 3), 3)
    assert found["within_blocks"] == -1
    assert found["response"] == (9 - 6) / 15


@given(st.permutations(range(10)), st.lists(st.integers(0, 3), min_size=1))
def test_verifying_several_steps_at_once_changes_no_order(order, accepted):
    """As many picks as believed states: they were made one after the other, as stepwise decoding makes them."""
    events, left = [], list(order)
    for count in accepted * 10:
        taken, left = left[: count + 1], left[count + 1 :]
        events += [event(*taken, accepted=(1,) * (len(taken) - 1))] if taken else []
    assert order_correlation(Trace(events), 5) == order_correlation(Trace([event(row) for row in order]), 5)


def test_a_position_counts_where_it_was_committed_for_good():
    revoking = Trace([event(2), event(0), event(1, revoked=(2,)), event(2)])
    assert order_correlation(revoking, 3)["response"] == 1


@pytest.mark.parametrize("prompt", [4, 5, 6, 7])
def test_a_draft_into_a_later_block_leaves_each_position_in_its_own_block(prompt):
    """The forward's block is not the pick's there: the order is stepwise decoding's, block by block."""
    made = case("sdar", 4, prompt, 12)
    reference, eager = made.decode(Stepwise()).trace, made.decode(FreeDave(8, "exact_match", eager=True)).trace
    crossing = [event for event in eager.events if len({(pick.position + prompt) // 4 for pick in event.picks}) > 1]
    assert crossing, "no draft reaches into a later block"
    blocks = {pick.position: event.block for event in reference.events for pick in event.picks}
    for trace in (reference, eager):
        found = order_correlation(trace, 4, prompt % 4)
        assert found == order_correlation(reference, 4, prompt % 4)
        assert found["within_blocks"] == pytest.approx(gamma_within(reference, blocks))


def gamma_within(trace: Trace, blocks: dict[int, int]) -> float:
    """Pair by pair: +1 if the left of two positions of a block was committed first, -1 if the right one was."""
    times = {pick.position: time for time, pick in enumerate(trace.picks)}
    pairs = [pair for pair in combinations(sorted(times), 2) if blocks[pair[0]] == blocks[pair[1]]]
    return sum(1 if times[left] < times[right] else -1 for left, right in pairs) / len(pairs)


def test_means_skip_responses_that_tell_nothing():
    parts = [{"within_blocks": 0.5, "response": None}, {"within_blocks": None, "response": None}]
    assert mean_correlation(parts) == {"within_blocks": 0.5, "response": None}


@pytest.mark.parametrize("family", ["llada"])
@pytest.mark.parametrize("decoder", ["ssd", "fast_dllm"])
@pytest.mark.slow
def test_a_run_tells_the_order_of_both_sides(family, decoder, short_run, capsys):
    summary = short_run(family, f"decoder={decoder}")
    correlation = summary["order_correlation"]
    assert -1 <= correlation["reference"]["within_blocks"] <= LEFT_TO_RIGHT, "a random model has no such order"
    assert correlation["reference"]["response"] > correlation["reference"]["within_blocks"], "blocks are in order"
    if decoder == "ssd":
        assert correlation["decoder"] == correlation["reference"]
    print_summary(summary, "title", [1])
    printed = capsys.readouterr().out
    assert "left to right, in blocks" in printed
    assert "WARNING: stepwise decoding went from left to right" not in printed
    for side, warned in (("decoder", False), ("reference", True)):  # a decoder may be made to go so, as APD is
        correlation[side]["within_blocks"] = LEFT_TO_RIGHT + 0.01
        print_summary(summary, "title", [1])
        assert ("WARNING: stepwise decoding went from left to right" in capsys.readouterr().out) is warned
