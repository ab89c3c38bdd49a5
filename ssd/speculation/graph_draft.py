"""A draft graph laid over the state in hand."""

from __future__ import annotations

from ssd.decoding.decoder import BlockState
from ssd.decoding.draft import Draft
from ssd.speculation.candidate import Fill
from ssd.speculation.draft_graph import DraftGraph, Steps
from ssd.speculation.draft_tree import Node, to_draft
from ssd.speculation.forecast import Forecast


def lay(graph: DraftGraph, forecast: Forecast, hand: BlockState, depth: int, budget: int) -> Draft:
    """The graph's first nodes that fit, `budget` with the state in hand, up to `depth` steps ahead.

    A node that does not fit is replaced by the next one of the graph: one whose ranks are no longer there, that would
    fill the block, whose steps are not of the size that they have here, or that comes to the same state as another.
    """
    nodes: dict[Node, None] = {Node(frozenset(), hand.step, 0): None}
    for drafted in graph.nodes:
        if len(nodes) == budget:
            break
        node = _place(drafted.steps, forecast, hand) if len(drafted.steps) <= depth else None
        if node is not None:
            nodes[node] = None
    return to_draft(list(nodes), hand)


def _place(steps: Steps, forecast: Forecast, hand: BlockState) -> Node | None:
    """The state that these steps lead to, each with the tokens foreseen for it; None if it does not fit."""
    tokens: dict[int, int] = {}
    step = hand.step
    for picks in steps:
        due = forecast.due(tokens, step)
        if due is None or due.count != len(picks) or any(pick.position >= len(forecast.rows) for pick in picks):
            return None
        for pick in picks:
            row = forecast.rows[pick.position]
            tokens[row] = forecast.tokens(due.at, row)[pick.token]
        step = due.next_step
    if len(tokens) == hand.masks:
        return None
    return Node(frozenset(Fill(row, token) for row, token in tokens.items()), step, len(steps))
