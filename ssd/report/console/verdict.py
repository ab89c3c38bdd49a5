"""The verdict above a run's table: the speed and its reasons, and what a difference means for a decoder's claim."""

from __future__ import annotations

from typing import Any


def verdict(summary: dict[str, Any]) -> str:
    """Return sentences on speed, missing where nothing was timed, and on identity; summary: as in summary.json."""
    return " ".join(sentence for sentence in (_of_speed(summary), _of_identity(summary)) if sentence)


def _of_speed(summary: dict[str, Any]) -> str:
    if not summary["speedup"] or summary["numerics"] == "locked":  # there the reference pays for padding
        return ""
    ratio, low, high = (summary["speedup"][key] for key in ("ratio", "low", "high"))
    is_clear = low is not None and (low > 1 or high < 1)
    word = ("Faster" if ratio > 1 else "Slower") if is_clear else "Neither clearly faster nor slower"
    nfe, rows, ms = summary["nfe"], summary["token_rows"], summary["ms_per_forward"]
    forwards, computed, cost = (each["decoder"] / each["reference"] for each in (nfe, rows, ms))
    return (
        f"{word}: {ratio:.2f} times the speed of {summary['compared_with']}. The decoder has {forwards:.2f} times the "
        f"forwards and {computed:.2f} times the token rows; a forward costs {cost:.2f} times as much."
    )


def _of_identity(summary: dict[str, Any]) -> str:
    identity, responses = summary["identity"], summary["responses"]
    different, wrong = responses - identity["identical"], identity["algorithmic"]
    all_ = f"All {responses} responses are" if responses > 1 else "The response is"
    if not summary["claims_lossless"]:
        if not different:
            return f"{all_} identical, although this decoder is lossy."
        return f"{different} of {responses} responses differ, as can be expected: this decoder is lossy."
    if wrong:
        return f"NOT lossless: {wrong} of {responses} responses differ, and rounding does not explain it."
    if identity["other_order"]["algorithmic"]:
        return f"NOT lossless: {identity['other_order']['algorithmic']} of {responses} responses have another order."
    if different:
        return f"{different} of {responses} responses differ by rounding alone."
    return f"{all_} identical, as expected of a lossless decoder."
