"""Draft graphs (Spiffy, arXiv 2509.18085): which states to draft, told by ranks, and the files that hold them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ssd.decoding.decoder import BlockState
from ssd.decoding.draft import Draft
from ssd.paths import ROOT
from ssd.speculation.candidate import Fill
from ssd.speculation.draft_tree import Node, to_draft
from ssd.speculation.forecast import Forecast

FORMAT = 1
TOKEN_RANKS = 2
"""Scores hold two tokens per row, so a graph tells the likeliest (0) from the second (1) and knows no others."""
MAKE_ONE = "make one with python scripts/calibrate_spiffy.py model=NAME task=NAME --out FILE"


class RankedPick(NamedTuple):
    """A pick by its ranks: of its row among those expected next, and of its token among its row's."""

    position: int
    token: int


Steps = tuple[tuple[RankedPick, ...], ...]


@dataclass(frozen=True)
class GraphNode:
    """A state some steps ahead: the picks of each step, and the share of calibration states that led to it.

    The picks alone, not their order, say which node it is: its parents are all nodes that lack the picks of one step.
    """

    steps: Steps
    reached: float

    @property
    def picks(self) -> frozenset[RankedPick]:
        return frozenset(pick for step in self.steps for pick in step)


@dataclass(frozen=True)
class DraftGraph:
    """Nodes in the order in which they were chosen: the first ones make the best smaller graph."""

    nodes: tuple[GraphNode, ...]
    calibrated_on: dict[str, Any]

    @property
    def runner_up(self) -> bool:
        """Whether any node holds a second-best token."""
        return any(pick.token for node in self.nodes for pick in node.picks)

    def write(self, file: Path) -> None:
        """Write the file, a node a line."""
        nodes = [json.dumps({"steps": node.steps, "reached": round(node.reached, 4)}) for node in self.nodes]
        circumstances = json.dumps(self.calibrated_on, indent=2).replace("\n", "\n  ")
        listed = ",\n    ".join(nodes)
        file.write_text(
            f'{{\n  "format": {FORMAT},\n  "calibrated_on": {circumstances},\n  "nodes": [\n    {listed}\n  ]\n}}\n'
        )

    @classmethod
    def read(cls, file: Path) -> DraftGraph:
        """Raises ValueError in one line for a file that is no draft graph."""
        try:
            return _graph_from(json.loads(file.read_text()))
        except ValueError as error:
            raise ValueError(f"decoder.graph={file}: not a draft graph ({error}); {MAKE_ONE}") from error


def find_graph(path: str) -> Path:
    """The file, also relative to the project, as a model's folder may be. Raises FileNotFoundError."""
    for file in (Path(path).expanduser(), ROOT / path):
        if file.is_file():
            return file
    raise FileNotFoundError(f"decoder.graph={path}: no such file; {MAKE_ONE} and pass decoder.graph=FILE")


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
    """The graph's first nodes that fit, `budget` with the current state, up to `depth` steps ahead.

    A node that does not fit is replaced by the next one of the graph: one whose ranks are no longer there, that would
    fill the block, whose steps are not of the size that they have here, or that comes to the same state as another.
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
    """The state that these steps lead to, each with the tokens foreseen for it; None if it does not fit."""
    tokens: dict[int, int] = {}
    step = current.step
    for picks in steps:
        due = forecast.due(tokens, step)
        if due is None or due.count != len(picks) or any(pick.position >= len(forecast.rows) for pick in picks):
            return None
        for pick in picks:
            row = forecast.rows[pick.position]
            tokens[row] = forecast.tokens(due.at, row)[pick.token]
        step = due.next_step
    if len(tokens) == current.masks:
        return None
    return Node(frozenset(Fill(row, token) for row, token in tokens.items()), step, len(steps))
