"""The reference chain: stepwise decoding without a cache → with a cache → the decoder; what each link changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ssd.metrics.accuracy import accuracy_difference
from ssd.metrics.bootstrap import ratio_of_sums
from ssd.metrics.means import Sample
from ssd.results.summary_schema import Hop

LINKS = (("uncached", "reference"), ("reference", "decoder"), ("uncached", "decoder"))
Lines = Sequence[Sequence[Sample]]


def reference_chain(prompts: Lines, turns: Lines) -> list[Hop] | None:
    """Return one record per link, the last from end to end; None for lines without an uncached side.

    prompts, turns: the lines of every prompt, and of every turn. identity: share of responses that a link leaves
    unchanged; tokens: share of positions that agree; accuracy: before and after, with the difference's interval and
    test; speedup: ratio of sums of seconds, None where nothing was timed.
    """
    if "uncached" not in prompts[0][0]:
        return None
    return [_link(prompts, turns, before, after) for before, after in LINKS]


def _link(prompts: Lines, turns: Lines, before: str, after: str) -> Hop:
    pairs = [[(line[before], line[after]) for line in prompt] for prompt in prompts]
    responses = [[side["response_ids"] for side in pair] for prompt in pairs for pair in prompt]
    correct = [[[bool(pair[side]["correct"]) for pair in prompt] for prompt in pairs] for side in (0, 1)]
    timed = all(line[side]["time_s"] is not None for turn in turns for line in turn for side in (before, after))
    return {
        "from": before,
        "to": after,
        "identity": float(np.mean([left == right for left, right in responses])),
        "tokens": float(np.mean([np.mean(np.equal(left, right)) for left, right in responses])),
        "accuracy": {name: float(np.mean(np.concatenate(correct[side]))) for side, name in enumerate(("from", "to"))},
        "accuracy_difference": accuracy_difference(*correct),
        "speedup": ratio_of_sums(*(_seconds(turns, side) for side in (before, after))) if timed else None,
    }


def _seconds(turns: Lines, side: str) -> list[float]:
    """Return the seconds of each turn on one side."""
    return [sum(line[side]["time_s"] for line in turn) for turn in turns]
