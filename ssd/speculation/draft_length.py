"""The draft length policy of `decoder.depth=auto`: it weighs the cost of nodes against the steps they may gain."""

from __future__ import annotations

from collections.abc import Iterable

from ssd.speculation.draft_tree import Node, Taken
from ssd.speculation.node_costs import NodeCosts


class DraftLengthPolicy:
    """Chooses the number of nodes per round, from relative costs of forwards over 1 to `budget` nodes."""

    def __init__(self, costs: NodeCosts, budget: int) -> None:
        self.costs = [costs.relative(count) for count in range(1, budget + 1)]
        counts = range(budget)
        # The lowest cost per further node; None at the full budget.
        self._cheapest = [
            min(((self.costs[more] - self.costs[count]) / (more - count) for more in counts[count + 1 :]), default=None)
            for count in counts
        ]

    def choose(self, taken: Iterable[Taken], steps: float, spent: float) -> list[Node]:
        """Return the first nodes of a tree, in the number with the best ratio of steps to costs.

        steps, spent: steps and costs of the response's earlier rounds. A round adds nodes while they raise the ratio
        over all rounds together; this minimises the total cost (Dinkelbach's method for a ratio of sums).
        A forward makes one step, and one more for every node that is reached. The search ends when no number of further
        nodes as likely as the last one can raise the ratio. Where branches meet, a later node may be likelier; on
        recorded trajectories a full search gained under 1 %.
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
