"""Calibrating a draft graph (Spiffy, arXiv 2509.18085): how decoding went on from every state, then the best nodes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from itertools import chain, groupby, pairwise, takewhile
from operator import attrgetter
from typing import NamedTuple

from ssd.decoding.decoder import BlockDecoder, BlockState
from ssd.decoding.draft import Draft
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.forwards import DiffusionModel
from ssd.speculation.draft_graph import GraphNode, RankedPick, Steps
from ssd.speculation.forecast import Forecast

State = frozenset[RankedPick]


class Stand(NamedTuple):
    """A state that decoding stood at, and what its current logits foretold."""

    block: int
    state: list[int]
    step: int
    forecast: Forecast


class StateRecorder(BlockDecoder):
    """Stepwise decoding that remembers every state at which a speculative decoder could have drafted."""

    runner_up = True

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.stands: list[Stand] = []

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        forecast = Forecast(session, current, self.depth)
        self.stands.append(Stand(current.block.index, current.state.tolist(), current.step, forecast))
        return super().draft(session, current)


def record(
    model: DiffusionModel,
    prompt_ids: Sequence[int],
    settings: GenerationSettings,
    special: SpecialTokens,
    depth: int,
) -> list[Steps]:
    """For every state of one response, the steps that followed, by rank: `depth` of them at most.

    They end before the step that fills the block, which needs no draft, and before a token that has no rank.
    """
    recorder = StateRecorder(depth)
    recorder.decode(model, prompt_ids, settings, special)
    blocks = [list(stands) for _, stands in groupby(recorder.stands, attrgetter("block"))]
    return [_followed(stands[first : first + depth + 1]) for stands in blocks for first in range(len(stands))]


def _followed(stands: Sequence[Stand]) -> Steps:
    """The steps from the first of these successive states to the last, as the first one's forecast ranks them."""
    forecast, filled, steps = stands[0].forecast, set[int](), []
    for before, after in pairwise(stands):
        due = forecast.due(filled, before.step)
        changed = [row for row, token in enumerate(after.state) if token != before.state[row]]
        if due is None or any(after.state[row] not in forecast.tokens(due.at, row) for row in changed):
            break
        ranks = [(forecast.rows.index(row), forecast.tokens(due.at, row).index(after.state[row])) for row in changed]
        steps.append(tuple(sorted(RankedPick(*pair) for pair in ranks)))
        filled.update(changed)
    return tuple(steps)


def choose(followed: Sequence[Steps], count: int) -> list[GraphNode]:
    """The `count` nodes that take the recorded states furthest, one after the other, each the best beside the former.

    A node gains all steps that the states advance by it: one for every state that gets to it through nodes chosen
    before, and more where nodes chosen before lie beyond it. Ties: fewer picks, then lower ranks. Its picks stand in
    the order in which those states mostly made them. Fewer nodes, once no other gains anything.
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
    """How many of these drafts hold, in the mean over the recorded states."""
    drafted = {node.picks for node in nodes}
    return sum(_reach(_route(steps), drafted) for steps in followed) / len(followed)


def _route(steps: Steps) -> list[State]:
    """The states that these steps pass through, by what they fill in."""
    return [frozenset(chain(*steps[:end])) for end in range(1, len(steps) + 1)]


def _reach(route: Sequence[State], drafted: Container[State]) -> int:
    """How many states of a route are drafted before the first that is not."""
    return sum(1 for _ in takewhile(drafted.__contains__, route))
