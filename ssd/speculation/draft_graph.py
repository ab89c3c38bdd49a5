"""Draft graphs (Spiffy, arXiv 2509.18085): states to draft, given by ranks of their picks, and their files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ssd.decoding.block_decoder import BlockState
from ssd.decoding.draft import Draft
from ssd.paths import find_file
from ssd.speculation.candidate import Fill
from ssd.speculation.draft_tree import Node, to_draft
from ssd.speculation.forecast import Forecast

FORMAT = 1
TOKEN_RANKS = 2
"""Scores have two tokens per row: the likeliest (rank 0) and the second (rank 1)."""
MAKE_ONE = "make one with ssd-bench calibrate --graph model=NAME task=NAME --out FILE"


class RankedPick(NamedTuple):
    """A pick by two ranks: of its row among the expected rows, and of its token among the row's tokens."""

    position: int
    token: int


Steps = tuple[tuple[RankedPick, ...], ...]


@dataclass(frozen=True)
class GraphNode:
    """A future state: the picks of each step, and the share of calibration states that led to it.

    Nodes with the same picks are the same node, whatever the order. A node's parents lack the picks of one step.
    """

    steps: Steps
    reached: float

    @property
    def picks(self) -> frozenset[RankedPick]:
        return frozenset(pick for step in self.steps for pick in step)


@dataclass(frozen=True)
class DraftGraph:
    """Nodes in the order of calibration: the first ones are the best smaller graph."""

    nodes: tuple[GraphNode, ...]
    calibrated_on: dict[str, Any]

    @property
    def runner_up(self) -> bool:
        """Whether any node has a second-best token."""
        return any(pick.token for node in self.nodes for pick in node.picks)

    def write(self, file: Path) -> None:
        """Write the file, one node per line."""
        nodes = [json.dumps({"steps": node.steps, "reached": round(node.reached, 4)}) for node in self.nodes]
        circumstances = json.dumps(self.calibrated_on, indent=2).replace("\n", "\n  ")
        listed = ",\n    ".join(nodes)
        file.write_text(
            f'{{\n  "format": {FORMAT},\n  "calibrated_on": {circumstances},\n  "nodes": [\n    {listed}\n  ]\n}}\n'
        )

    @classmethod
    def read(cls, file: Path) -> DraftGraph:
        """Return the graph of a file. Raises ValueError in one line for a file that is no draft graph."""
        try:
            return _graph_from(json.loads(file.read_text()))
        except ValueError as error:
            raise ValueError(f"decoder.graph={file}: not a draft graph ({error}); {MAKE_ONE}") from error


def find_graph(path: str) -> Path:
    """Return the file at a path, also relative to the project. Raises FileNotFoundError."""
    return find_file("decoder.graph", path, f"{MAKE_ONE} and pass decoder.graph=FILE")


def _graph_from(content: Any) -> DraftGraph:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'expected "format": {FORMAT}')
    stored, calibrated_on = content.get("nodes"), content.get("calibrated_on")
    if not isinstance(stored, list) or not stored or not isinstance(calibrated_on, dict):
        raise ValueError('expected a list of "nodes", and what they were "calibrated_on"')
    nodes: dict[frozenset[RankedPick], GraphNode] = {}
    for index, entry in enumerate(stored):
        node = _node_from(entry, f"node {index}")
        if node.picks in nodes:
            raise ValueError(f"node {index} holds the picks of an earlier one")
        nodes[node.picks] = node
    return DraftGraph(tuple(nodes.values()), calibrated_on)


def _node_from(entry: Any, where: str) -> GraphNode:
    try:
        steps = tuple(tuple(RankedPick(*pick) for pick in step) for step in entry["steps"])
        reached = float(entry["reached"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f'{where}: expected {{"steps": [[[0, 0]], [[2, 0]]], "reached": 0.5}} or alike') from error
    picks = [pick for step in steps for pick in step]
    if not steps or not all(steps) or any(type(rank) is not int or rank < 0 for pick in picks for rank in pick):
        raise ValueError(f"{where}: expected steps of pairs of ranks, counted from 0")
    if any(pick.token >= TOKEN_RANKS for pick in picks):
        raise ValueError(f"{where}: expected token ranks below {TOKEN_RANKS}")
    if len({pick.position for pick in picks}) < len(picks):
        raise ValueError(f"{where} picks a position twice")
    return GraphNode(steps, reached)


def draft_from_graph(graph: DraftGraph, forecast: Forecast, current: BlockState, depth: int, budget: int) -> Draft:
    """Return a draft of the graph's first nodes that fit: `budget` with the current state, up to `depth` steps ahead.

    The graph's next node replaces a node that does not fit. A node does not fit if its ranks do not exist, if it would
    fill the block, if its steps have another number of picks than here, or if its state is drafted already.
    """
    nodes: dict[Node, None] = {Node(frozenset(), current.step, 0): None}
    for drafted in graph.nodes:
        if len(nodes) == budget:
            break
        node = _place(drafted.steps, forecast, current) if len(drafted.steps) <= depth else None
        if node is not None:
            nodes[node] = None
    return to_draft(list(nodes), current)


def _place(steps: Steps, forecast: Forecast, current: BlockState) -> Node | None:
    """Return the state after these steps, with the tokens foreseen for each step; None if it does not fit."""
    tokens: dict[int, int] = {}
    step = current.step
    for picks in steps:
        due = forecast.due(tokens, step)
        if due is None or due.picks != len(picks) or any(pick.position >= len(forecast.rows) for pick in picks):
            return None
        for pick in picks:
            row = forecast.rows[pick.position]
            tokens[row] = forecast.tokens(due.at, row)[pick.token]
        step = due.next_step
    if len(tokens) == current.masks:
        return None
    return Node(frozenset(Fill(row, token) for row, token in tokens.items()), step, len(steps))
