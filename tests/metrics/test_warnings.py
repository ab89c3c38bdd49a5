"""What gives reason to doubt a run is said, and nothing else."""

import pytest

from ssd.metrics.warnings import warnings_of


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
        "order_correlation": {side: {"within_blocks": 0.5, "response": 0.5} for side in ("reference", "decoder")},
        "reference_drift": 0,
        "predicted_of_measured": None,
    }


@pytest.mark.parametrize("ratios", [(1.0, 1.1), (0.5, 0.5), (2.0, 1.8)])
def test_forwards_misjudged_alike_leave_the_predicted_speedup_as_it_is(ratios):
    found = dict(zip(("reference", "decoder"), ratios, strict=True))
    assert list(warnings_of({**summary({"reference": 0.0, "decoder": 0.0}), "predicted_of_measured": found})) == []


@pytest.mark.parametrize("ratios", [(1.0, 1.2), (1.25, 1.0)])
def test_a_predicted_speedup_from_mistimed_forwards_is_doubted(ratios):
    found = dict(zip(("reference", "decoder"), ratios, strict=True))
    (doubt,) = warnings_of({**summary({"reference": 0.0, "decoder": 0.0}), "predicted_of_measured": found})
    assert f"make {ratios[0]:.2f} of the time" in doubt
    assert f"{ratios[1]:.2f} of the decoder's" in doubt


def test_another_order_that_rounding_does_not_explain_is_said_plainly():
    found = summary({"reference": 0.0, "decoder": 0.0})
    found["identity"]["other_order"]["algorithmic"] = 4
    (doubt,) = warnings_of(found)
    assert "4 equal responses were committed in another order" in doubt
    assert doubt.endswith("which rounding does not explain; scripts/audit.py RUN shows where")


@pytest.mark.parametrize("share", [0.0, 0.99])
def test_some_empty_responses_are_no_reason(share):
    assert list(warnings_of(summary({"reference": share, "decoder": share}))) == []


def test_a_side_whose_responses_are_all_empty_is_named_with_what_to_look_at():
    (doubt,) = warnings_of(summary({"reference": 0.5, "decoder": 1.0}))
    assert doubt.startswith("all of the decoder's responses are empty: they end at once; look at task.chat")
