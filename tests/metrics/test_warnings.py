"""What gives reason to doubt a run is said, and nothing else."""

import pytest

from ssd.metrics.warnings import too_few, warnings_of


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
        "prompts": 100,
        "turns": 100,
    }


@pytest.mark.parametrize("ratios", [(1.0, 1.1), (0.5, 0.5), (2.0, 1.8)])
def test_forwards_misjudged_alike_leave_the_predicted_speedup_as_it_is(ratios):
    found = dict(zip(("reference", "decoder"), ratios, strict=True))
    assert list(warnings_of({**summary({"reference": 0.0, "decoder": 0.0}), "predicted_of_measured": found})) == []


@pytest.mark.parametrize("ratios", [(1.0, 1.2), (1.25, 1.0)])
def test_a_predicted_speedup_from_mistimed_forwards_is_doubted(ratios):
    found = dict(zip(("reference", "decoder"), ratios, strict=True))
    (doubt,) = warnings_of({**summary({"reference": 0.0, "decoder": 0.0}), "predicted_of_measured": found})
    slower = [f"{1 / ratio:.2f} times" for ratio in ratios]
    assert f"forwards took {slower[0]} (reference) and {slower[1]} (decoder) as long as those timed before" in doubt
    assert doubt.count(". ") == 0, "one sentence"


def test_few_prompts_and_few_groups_of_prompts_are_named():
    usual = summary({"reference": 0.0, "decoder": 0.0})
    timed = {"speedup": {"ratio": 2.0, "low": 1.0, "high": 3.0}}
    assert too_few({**usual, **timed}) is None
    assert too_few({**usual, "turns": 3}) is None, "nothing was timed"
    assert too_few({**usual, **timed, "turns": 3}) == (
        "the speedup's interval means little: the prompts were timed in 3 groups, fewer than 20"
    )
    (doubt,) = warnings_of({**usual, "prompts": 3, "turns": 3})
    assert doubt == "intervals mean little below 20 prompts, and this run has 3; increase runtime.limit"


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
