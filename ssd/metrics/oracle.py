"""Number of forwards of an oracle: a decoder whose every draft is right."""

from __future__ import annotations

from collections import Counter

from ssd.decoding.trace import Trace


def oracle_nfe(reference: Trace, most_steps: int) -> int:
    """Return the fewest forwards that a lossless decoder can spend on the reference's response.

    Each block begins with one forward of one step. Each further forward makes up to `most_steps` steps inside the
    block: the drafted nodes of one path and the bonus of the last. A decoder's tokens per forward over the oracle's
    measure how good its drafts are, whatever the block length and the budget.
    reference: one event per step, and one without picks for each block that is stored in a forward of its own.
    Raises ValueError for `most_steps` below 1.
    """
    if most_steps < 1:
        raise ValueError(f"most_steps={most_steps}: expected at least 1 step per forward")
    stores = [event for event in reference.events if event.stored and not event.picks]
    steps = Counter(event.block for event in reference.events if event.picks or not event.stored)
    return len(stores) + sum(1 - (1 - count) // most_steps for count in steps.values())
