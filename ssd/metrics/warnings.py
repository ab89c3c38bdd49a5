"""What a run's summary gives reason to doubt: the warnings under its table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ssd.metrics.decode_order import LEFT_TO_RIGHT

MOST_CUT_OFF = 0.1
"""The share of responses without an end token from which on a warning is due."""
MOST_MISTIMED = 1.15
"""From this ratio on, or its inverse, by which one side's forwards were misjudged more than the other's, too."""


def doubts(summary: dict[str, Any]) -> Iterator[str]:
    """One line each, the reader's remedy included."""
    identity, length = summary["identity"], summary["length"]
    for side in ("reference", "decoder"):
        if length[side]["empty"] == 1:
            yield (
                f"all of the {side}'s responses are empty: it ends at once; look at task.chat, at generation.eos "
                "(suppress_logits keeps end tokens out), and at model.end_ids"
            )
        share = length[side]["cut_off"]
        if share > MOST_CUT_OFF:
            yield (
                f"{share:.0%} of the {side}'s responses have no end token, and may be cut off; "
                "generation.gen_length gives them room"
            )
    # Only the reference's: it goes by the stepping rule, while a decoder such as APD is made to go from left to right.
    order = summary.get("order_correlation", {}).get("reference", {}).get("within_blocks")  # none in earlier versions
    if (order or 0) > LEFT_TO_RIGHT:
        yield (
            f"{summary['compared_with']} went from left to right inside blocks (rank correlation "
            f"{order:.2f}), although the model may fill them in any order; generation.ranking or "
            "generation.temperature may leave its confidences without differences"
        )
    if summary["numerics"] == "locked" and summary["speedup"]:
        yield "no speedup: under runtime.numerics=locked the reference pays for nodes that it does not need"
    if summary.get("reference_drift"):
        yield (
            f"{summary['reference_drift']} responses of the reference differ from those that the same model gave "
            "before under the same circumstances: it does not repeat itself, so that identity is in doubt; "
            "runtime.numerics=locked or float64 may steady it"
        )
    found = summary.get("predicted_of_measured")  # none in earlier versions
    if found and not 1 / MOST_MISTIMED < found["decoder"] / found["reference"] < MOST_MISTIMED:
        yield (
            f"the predicted speedup is rough: the forwards timed beforehand make {found['reference']:.2f} of the time "
            f"that the reference spent in the model, and {found['decoder']:.2f} of the decoder's; if the machine had "
            "other work, measure again (overwrite=true) when it has none, for then the speedup is rough, too"
        )
    if summary["caveat"]:
        yield f"not lossless in this mode: {summary['caveat']}"
    if summary["claims_lossless"] and identity["algorithmic"]:
        yield (
            f"this decoder claims to be lossless, but {identity['algorithmic']} responses differ "
            "algorithmically; scripts/audit.py RUN tells where"
        )
    elif summary["claims_lossless"] and identity["other_order"]["algorithmic"]:
        yield (
            f"this decoder claims to be lossless, but {identity['other_order']['algorithmic']} equal responses were "
            "committed in another order than the reference's, which rounding does not explain; scripts/audit.py RUN "
            "tells where"
        )
