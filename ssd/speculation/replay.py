"""Replay of drafts on recorded trajectories: the forwards that a decoder would spend, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from ssd.speculation.draft_tree import Builder, Node, expand
from ssd.speculation.pick_model import Features, PickModel
from ssd.speculation.recording import RecordedState, Trajectory, picks_between


class Replayed(NamedTuple):
    """Forwards of one response, the steps made by them, and the steps that the drafts' probabilities promised."""

    forwards: int
    steps: int
    expected: float


def replay(trajectory: Trajectory, builder: Builder, nodes: int, width: int, prior: Features) -> Replayed:
    """Return the forwards of `decoder=ssd` with a budget of `nodes`, the current state included.

    The counts are those of decoding with the depth of the recorded forecasts, because a lossless decoder passes through
    the recorded states. Forwards without a draft, as the first of each block, make one step each.
    """
    pick_model = PickModel(prior)
    others = trajectory.trace.nfe - sum(map(len, trajectory.blocks))
    forwards, steps, expected = others, others, float(others)
    merged = not trajectory.needs_tree
    for stands in trajectory.blocks:
        at = 0
        while at < len(stands):
            stand = stands[at]
            fresh = {fill.row for fill in picks_between(stand.before, stand.state)}
            forecast = stand.forecast.with_memory(pick_model, fresh)
            taken = list(islice(expand(forecast, builder, nodes - 1, width, False, merged), nodes))
            made = 1 + _accepted([node for node, _ in taken], stands[at:], merged)
            coming = stands[at : at + made + 1]
            picks = [{fill.row for fill in picks_between(one.state, after.state)} for one, after in pairwise(coming)]
            forecast.learn(picks, [one.step for one in coming[: len(picks)]])
            forwards, steps, expected = forwards + 1, steps + made, expected + sum(each.reached for each in taken)
            at += made
    return Replayed(forwards, steps, expected)


def _accepted(nodes: Sequence[Node], stands: Sequence[RecordedState], merged: bool) -> int:
    """Return the number of accepted drafts: of nodes that the coming states pass through, one after the other."""
    drafted, begin = set(nodes), stands[0].state
    last = nodes[0]
    for count, stand in enumerate(stands[1:]):
        last = Node(picks_between(begin, stand.state), stand.step, count + 1, None if merged else last)
        if last not in drafted:
            return count
    return len(stands) - 1
