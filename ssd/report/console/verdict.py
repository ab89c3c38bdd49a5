"""The verdict above a run's table: faster or slower and why, identical or not and what that means."""

from __future__ import annotations

from typing import Any


def verdict(summary: dict[str, Any]) -> str:
    """Return two sentences, of which the first is missing where nothing was timed; summary: as in summary.json."""
    return " ".join(sentence for sentence in (_of_speed(summary), _of_identity(summary)) if sentence)


def _of_speed(summary: dict[str, Any]) -> str:
    if not summary["speedup"]:
        return ""
    ratio, low, high = (summary["speedup"][key] for key in ("ratio", "low", "high"))
    is_clear = low is not None and (low > 1 or high < 1)
    word = ("Faster" if ratio > 1 else "Slower") if is_clear else "Neither clearly faster nor slower"
    rows, ms = summary["token_rows"], summary["ms_per_forward"]
    return (
        f"{word}: {ratio:.2f} times the speed of {summary['compared_with']}, with {summary['nfe']['ratio']:.2f} times "
        f"fewer forwards, {rows['decoder'] / rows['reference']:.2f} times the token rows, and "
        f"{ms['decoder'] / ms['reference']:.2f} times the time per forward."
    )


def _of_identity(summary: dict[str, Any]) -> str:
    identity, responses = summary["identity"], summary["responses"]
    different, wrong = responses - identity["identical"], identity["algorithmic"]
    if not summary["claims_lossless"]:
        return f"{different} of {responses} responses differ, as can be expected: this decoder is lossy."
    if wrong:
        return f"NOT lossless: {wrong} of {responses} responses differ, and rounding does not explain it."
    if different:
        return f"{different} of {responses} responses differ by rounding alone; otherwise the decoder is lossless here."
    return f"All {responses} responses are identical, as a lossless decoder promises."
