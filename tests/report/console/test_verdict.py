"""The verdict states the speed with its reasons, and what a difference means for the decoder's claim."""

from typing import Any

import pytest

from ssd.report.console.verdict import verdict


def summary(low: float = 1.4, high: float = 1.6, **changes: Any) -> dict[str, Any]:
    return {
        "speedup": {"ratio": 1.5, "low": low, "high": high},
        "compared_with": "stepwise decoding",
        "numerics": "native",
        "nfe": {"reference": 60.0, "decoder": 20.0, "ratio": 3.0},
        "token_rows": {"reference": 100.0, "decoder": 180.0},
        "ms_per_forward": {"reference": 8.0, "decoder": 16.0},
        "identity": {"identical": 20, "numeric": 0, "algorithmic": 0, "other_order": {"algorithmic": 0}},
        "responses": 20,
        "claims_lossless": True,
        **changes,
    }


def test_speed_has_its_reasons() -> None:
    assert verdict(summary()) == (
        "Faster: 1.50 times the speed of stepwise decoding. The decoder has 0.33 times the forwards and 1.80 times the "
        "token rows; a forward costs 2.00 times as much. All 20 responses are identical, as expected of a lossless "
        "decoder."
    )
    assert verdict(summary(numerics="locked")).startswith("All 20 responses"), "no speedup under a lock"
    slow = summary(0.5, 0.9, speedup={"ratio": 0.7, "low": 0.5, "high": 0.9})
    assert verdict(slow).startswith("Slower: 0.70 times")
    assert verdict(summary(0.9, 1.6)).startswith("Neither clearly faster nor slower: 1.50")
    assert verdict(summary(speedup={"ratio": 1.5, "low": None, "high": None})).startswith("Neither")


@pytest.mark.parametrize(
    ("identity", "lossless", "expected"),
    [
        ((18, 2, 0), True, "2 of 20 responses differ by rounding alone."),
        ((20, 0, 0), False, "All 20 responses are identical, although this decoder is lossy."),
        ((17, 1, 2), True, "NOT lossless: 2 of 20 responses differ, and rounding does not explain it."),
        ((15, 0, 5), False, "5 of 20 responses differ, as can be expected: this decoder is lossy."),
    ],
)
def test_a_difference_is_judged_by_the_claim(identity: tuple[int, int, int], lossless: bool, expected: str) -> None:
    counts = dict(zip(("identical", "numeric", "algorithmic"), identity, strict=True))
    counts |= {"other_order": {"algorithmic": 0}}
    assert verdict(summary(speedup=None, identity=counts, claims_lossless=lossless)) == expected


def test_another_order_of_picks_breaks_the_claim() -> None:
    identity = {"identical": 20, "numeric": 0, "algorithmic": 0, "other_order": {"algorithmic": 3}}
    expected = "NOT lossless: 3 of 20 responses have another order."
    assert verdict(summary(speedup=None, identity=identity)) == expected
