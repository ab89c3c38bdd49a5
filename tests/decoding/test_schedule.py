"""Schedules: they spend every mask, and agree with what was read in the published samplers."""

from hypothesis import given
from hypothesis import strategies as st

from ssd.decoding.schedule import dream_counts, step_counts, uniform_counts


@given(st.integers(1, 300), st.integers(1, 300))
def test_every_mask_is_committed_exactly_once(masks, steps):
    steps = min(masks, steps)
    for schedule in ("uniform", "dream"):
        counts = step_counts(schedule, masks, steps)
        assert len(counts) == steps
        assert sum(counts) == masks
        assert min(counts) >= 0


def test_uniform_shares_the_remainder_among_the_first_steps():
    assert uniform_counts(10, 4) == [3, 3, 2, 2]
    assert uniform_counts(8, 8) == [1] * 8


def test_dream_commits_nothing_first_and_two_last():
    """At 256 masks and 256 steps: 0, then 1 each, then 2 (read in the published sampler)."""
    counts = dream_counts(256, 256)
    assert counts[0] == 0
    assert set(counts[1:-1]) == {1}
    assert counts[-1] == 2
