"""Warnings below a run's table, from its summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ssd.metrics.bootstrap import FEW
from ssd.metrics.decode_order import LEFT_TO_RIGHT

MOST_CUT_OFF = 0.1
"""Largest share of responses without an end token that needs no warning."""
MOST_MISTIMED = 1.15
"""Largest ratio of the two sides' prediction errors, or inverse of it, that needs no warning."""


def warnings_of(summary: Mapping[str, Any]) -> Iterator[str]:
    """Return warnings of one line each, with the remedy."""
    identity, length = summary["identity"], summary["length"]
    for side in ("reference", "decoder"):
        if length[side]["empty"] == 1:
            yield (
                f"all of the {side}'s responses are empty: they end at once; look at task.chat, at generation.eos "
                "(suppress_logits keeps end tokens out), and at model.end_ids"
            )
        share = length[side]["cut_off"]
        if share > MOST_CUT_OFF:
            yield (
                f"{share:.0%} of the {side}'s responses have no end token, and may be cut off; "
                "increase generation.gen_length"
            )
    # Only the reference's: it follows the stepping rule, while a decoder such as APD decodes left to right by design.
    order = summary["order_correlation"]["reference"]["within_blocks"]
    if (order or 0) > LEFT_TO_RIGHT:
        yield (
            f"{summary['compared_with']} went from left to right inside blocks (rank correlation "
            f"{order:.2f}), although the model may fill them in any order; generation.ranking or "
            "generation.temperature may leave its confidences without differences"
        )
    if summary["numerics"] == "locked" and summary["speedup"]:
        yield "no speedup: under runtime.numerics=locked the reference pays for nodes that it does not need"
    if summary["reference_drift"]:
        yield (
            f"{summary['reference_drift']} responses of the reference differ from those that the same model gave "
            "before under the same circumstances: its results are not repeatable, so that identity is in doubt; try "
            "runtime.numerics=locked or float64"
        )
    found = summary["predicted_of_measured"]
    if found and not 1 / MOST_MISTIMED < found["decoder"] / found["reference"] < MOST_MISTIMED:
        slower = {side: f"{1 / found[side]:.2f}" for side in ("reference", "decoder")}
        yield (
            f"predicted_speedup is rough: forwards took {slower['reference']} times (reference) and "
            f"{slower['decoder']} times (decoder) as long as those timed before; repeat on an idle machine with "
            "overwrite=true"
        )
    if few := too_few(summary):
        yield f"{few}; increase runtime.limit"
    if summary["caveat"]:
        yield f"not lossless in this mode: {summary['caveat']}"
    if summary["claims_lossless"] and identity["algorithmic"]:
        yield (
            f"this decoder claims to be lossless, but {identity['algorithmic']} responses differ "
            "algorithmically; scripts/audit.py RUN shows where"
        )
    elif summary["claims_lossless"] and identity["other_order"]["algorithmic"]:
        yield (
            f"this decoder claims to be lossless, but {identity['other_order']['algorithmic']} equal responses were "
            "committed in another order than the reference's, which rounding does not explain; scripts/audit.py RUN "
            "shows where"
        )


def too_few(summary: Mapping[str, Any]) -> str | None:
    """Return why a summary's intervals mean little; None if they are over enough prompts."""
    prompts, turns = summary["prompts"], summary["turns"]
    if prompts < FEW:
        return f"intervals mean little below {FEW} prompts, and this run has {prompts}"
    if summary["speedup"] and turns < FEW:
        return f"the speedup's interval means little: the prompts were timed in {turns} groups, fewer than {FEW}"
    return None
