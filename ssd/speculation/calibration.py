"""Calibration of draft graphs (Spiffy, arXiv 2509.18085): record the steps after every state, choose the best nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from itertools import chain, pairwise, takewhile

from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.forwards import DiffusionModel
from ssd.speculation.draft_graph import GraphNode, RankedPick, Steps
from ssd.speculation.recording import RecordedState, picks_between, record_trajectory

State = frozenset[RankedPick]


def record(
    model: DiffusionModel,
    prompt_ids: Sequence[int],
    settings: GenerationSettings,
    special: SpecialTokens,
    depth: int,
) -> list[Steps]:
    """Return the steps after every state of one response, given by ranks: at most `depth` per state.

    They end before the step that fills the block, which needs no draft, and before a token without a rank.
    """
    blocks = record_trajectory(model, prompt_ids, settings, special, depth).blocks
    return [_followed(stands[first : first + depth + 1]) for stands in blocks for first in range(len(stands))]


def _followed(stands: Sequence[RecordedState]) -> Steps:
    """Return the steps between successive states, with the ranks of the first state's forecast."""
    forecast, filled, steps = stands[0].forecast, set[int](), []
    for before, after in pairwise(stands):
        due = forecast.due(filled, before.step)
        changed = [row for row, _ in sorted(picks_between(before.state, after.state))]
        if due is None or any(after.state[row] not in forecast.tokens(due.at, row) for row in changed):
            break
        ranks = [(forecast.rows.index(row), forecast.tokens(due.at, row).index(after.state[row])) for row in changed]
        steps.append(tuple(sorted(RankedPick(*pair) for pair in ranks)))
        filled.update(changed)
    return tuple(steps)


def choose(followed: Sequence[Steps], count: int) -> list[GraphNode]:
    """Return the best nodes for the recorded steps, chosen greedily: `count`, or fewer if no other gains anything.

    A node's gain is the number of steps that the recorded states advance by it: one for every state that reaches it
    through chosen nodes, and more if chosen nodes come after it. Ties: fewer picks, then lower ranks. A node's picks
    have the order that is most frequent among those states.
    """
    routes = [_route(steps) for steps in followed]
    chosen: dict[State, GraphNode] = {}
    while len(chosen) < count:
        gains: Counter[State] = Counter()
        orders: defaultdict[State, Counter[Steps]] = defaultdict(Counter)
        for steps, route in zip(followed, routes, strict=True):
            reach = _reach(route, chosen)
            if reach < len(route):
                gains[route[reach]] += 1 + _reach(route[reach + 1 :], chosen)
                orders[route[reach]][steps[: reach + 1]] += 1
        if not gains:
            break
        best = min(gains, key=lambda state: (-gains[state], len(state), sorted(state)))
        order = min(orders[best], key=lambda steps: (-orders[best][steps], steps))
        chosen[best] = GraphNode(order, orders[best].total() / len(followed))
    return list(chosen.values())


def accepted(followed: Sequence[Steps], nodes: Sequence[GraphNode]) -> float:
    """Return the mean number of accepted drafts over the recorded states."""
    drafted = {node.picks for node in nodes}
    return sum(_reach(_route(steps), drafted) for steps in followed) / len(followed)


def _route(steps: Steps) -> list[State]:
    """Return the states after each of these steps, as sets of picks."""
    return [frozenset(chain(*steps[:end])) for end in range(1, len(steps) + 1)]


def _reach(route: Sequence[State], drafted: Container[State]) -> int:
    """Return the number of drafted states at the beginning of a route."""
    return sum(1 for _ in takewhile(drafted.__contains__, route))
