"""How many nodes pay: drafts of `decoder.depth=auto`, chosen round by round from what nodes cost and may gain."""

from __future__ import annotations

from collections.abc import Iterable

from ssd.speculation.draft_tree import Node, Taken
from ssd.speculation.node_costs import NodeCosts


class DraftLengthPolicy:
    """Relative costs of forwards over 1 to `budget` nodes."""

    def __init__(self, costs: NodeCosts, budget: int) -> None:
        self.costs = [costs.relative(count) for count in range(1, budget + 1)]
        counts = range(budget)
        # Per further node, at least; None of these is reached by adding nodes to all that the budget holds.
        self._cheapest = [
            min(((self.costs[more] - self.costs[count]) / (more - count) for more in counts[count + 1 :]), default=None)
            for count in counts
        ]

    def choose(self, taken: Iterable[Taken], steps: float, spent: float) -> list[Node]:
        """The first nodes of a tree, as many as leave the best ratio of steps to costs.

        steps, spent: of the response's rounds so far, which say what a step is worth: a round then adds nodes as long
        as they raise the ratio of all rounds together, which minimises the cost of the whole (Dinkelbach's method for
        a ratio of sums), and the first round goes by itself. A forward makes one step and one more for every node
        that is reached. Nodes are looked at until no number of further ones as likely as the last can pay. In a tree
        whose branches meet, a later node may be likelier; on recorded trajectories a full search gained under 1 %.
        """
        nodes: list[Node] = []
        expected, best, chosen = steps, 0.0, 1
        for cost, cheapest, (node, reached) in zip(self.costs, self._cheapest, taken, strict=False):
            nodes.append(node)
            expected += reached
            ratio = expected / (spent + cost)
            if ratio > best:
                best, chosen = ratio, len(nodes)
            if cheapest is None or reached < best * cheapest:
                break
        return nodes[:chosen]
