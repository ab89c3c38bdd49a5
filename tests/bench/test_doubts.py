"""What gives reason to doubt a run is said, and nothing else."""

import pytest

from ssd.bench.doubts import doubts


def summary(empty: dict[str, float]) -> dict:
    """Of a run that is beyond doubt but for these shares of empty responses."""
    return {
        "length": {side: {"cut_off": 0.0, "ended": 1.0, "empty": share} for side, share in empty.items()},
        "identity": {"algorithmic": 0, "other_order": {"numeric": 0, "algorithmic": 0}},
        "numerics": "native",
        "caveat": None,
        "claims_lossless": True,
        "speedup": None,
        "compared_with": "stepwise decoding",
    }


@pytest.mark.parametrize("share", [0.0, 0.99])
def test_some_empty_responses_are_no_reason(share):
    assert list(doubts(summary({"reference": share, "decoder": share}))) == []


def test_a_side_whose_responses_are_all_empty_is_named_with_what_to_look_at():
    (doubt,) = doubts(summary({"reference": 0.5, "decoder": 1.0}))
    assert doubt.startswith("all of the decoder's responses are empty: it ends at once; look at task.chat")
