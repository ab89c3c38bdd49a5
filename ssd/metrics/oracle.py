"""How far drafts could have taken a decoder: the forwards of a clairvoyant one, every draft of which is right."""

from __future__ import annotations

from collections import Counter

from ssd.decoding.trace import Trace


def oracle_nfe(reference: Trace, most_steps: int) -> int:
    """The fewest forwards that a lossless decoder can spend on a response which the reference made step by step.

    Each block opens with one forward, which makes one step; every other one makes up to `most_steps` inside the block
    (as many as its nodes on one path: the drafted ones, and the bonus of the last). So that tokens per forward, or
    acceptance, reached over those of the oracle say how good the drafts were, whatever the blocks and the budget.
    reference: one event per step. Raises ValueError for `most_steps` below 1.
    """
    if most_steps < 1:
        raise ValueError(f"most_steps={most_steps}: expected at least 1 step per forward")
    steps = Counter(event.block for event in reference.events)
    return sum(1 - (1 - count) // most_steps for count in steps.values())
