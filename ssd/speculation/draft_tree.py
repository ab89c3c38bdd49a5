"""Draft trees: states reachable from the current state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from itertools import islice
from typing import Literal, NamedTuple

import torch

from ssd.decoding.block_decoder import BlockState
from ssd.decoding.draft import Draft
from ssd.speculation.candidate import Fill
from ssd.speculation.forecast import Forecast

Builder = Literal["chain", "kary", "best_first"]


class Node(NamedTuple):
    """A hypothetical state: its picks beyond the current state, its step, and its depth.

    parent: the node before it, in a tree whose equal states on different paths stay different nodes.
    """

    filled: frozenset[Fill]
    step: int
    depth: int
    parent: Node | None = None


Priority = tuple[float, int]


def _breadth_first(node: Node, probability: float, sequence: int) -> Priority:
    return (node.depth, sequence)


def _best_first(node: Node, probability: float, sequence: int) -> Priority:
    return (-probability, sequence)


PRIORITIES: dict[Builder, Callable[[Node, float, int], Priority]] = {
    "chain": _breadth_first,
    "kary": _breadth_first,
    "best_first": _best_first,
}


class Taken(NamedTuple):
    """A node of the tree, and its estimated probability of being reached."""

    node: Node
    reached: float


def grow(
    forecast: Forecast,
    current: BlockState,
    builder: Builder,
    depth: int,
    width: int,
    budget: int,
    alternatives: bool,
    merged: bool = True,
) -> Draft:
    """Return a draft of at most `budget` nodes, the current state included, up to `depth` steps ahead."""
    taken = expand(forecast, builder, depth, width, alternatives, merged)
    return to_draft([node for node, _ in islice(taken, budget)], current)


def expand(
    forecast: Forecast,
    builder: Builder,
    depth: int,
    width: int,
    alternatives: bool,
    merged: bool = True,
) -> Iterator[Taken]:
    """Yield the nodes of a tree, the current state first, every other node after one of its parents.

    Every node has up to `width` continuations. `chain` and `kary` yield nodes level by level, `best_first` yields the
    likeliest node first. If `merged`, equal states are one node. Its probability is the sum over all ways found before
    the node is yielded, and its last picks are those of the likeliest way. Otherwise each way is a node of its own.
    """
    priority, reorder = PRIORITIES[builder], builder == "best_first"
    root = Node(frozenset(), forecast.first_step, 0)
    reached: dict[Node, float] = {root: 1.0}
    likeliest: dict[Node, tuple[float, frozenset[int]]] = {root: (1.0, forecast.fresh)}
    taken: set[Node] = set()
    frontier: list[tuple[Priority, Node]] = [(priority(root, 1.0, 0), root)]
    while frontier:
        _, node = heappop(frontier)
        if node in taken:
            continue
        taken.add(node)
        yield Taken(node, reached[node])
        if node.depth == depth:
            continue
        last = likeliest[node][1]
        for candidate in forecast.candidates(node.filled, last, node.step, width, alternatives, reorder):
            parent = None if merged else node
            child = Node(node.filled.union(candidate.fills), candidate.next_step, node.depth + 1, parent)
            if child in taken:
                continue
            way = reached[node] * candidate.probability
            reached[child] = reached.get(child, 0.0) + way
            if child not in likeliest or way > likeliest[child][0]:
                likeliest[child] = way, frozenset(fill.row for fill in candidate.fills)
            heappush(frontier, (priority(child, reached[child], len(reached)), child))


def to_draft(nodes: list[Node], current: BlockState, spans: bool = True) -> Draft:
    """Return the states of these nodes, the current state first. spans: see `Draft`."""
    states = current.state.repeat(len(nodes), 1)
    cells = [(index, fill.row, fill.token) for index, node in enumerate(nodes) for fill in node.filled]
    if cells:
        index, row, token = torch.tensor(cells).unbind(dim=1)
        states[index, row] = token
    steps = torch.tensor([node.step for node in nodes])
    depths, parents = tuple(node.depth for node in nodes), [node.parent for node in nodes[1:]]
    if None in parents:
        return Draft(states, steps, depths, spans=spans)
    places = {node: index for index, node in enumerate(nodes)}
    return Draft(states, steps, depths, (0, *(places[parent] for parent in parents if parent)), spans)
