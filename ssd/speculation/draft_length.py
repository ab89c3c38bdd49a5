"""The draft length policy of `decoder.depth=auto`: it weighs the cost of nodes against the steps they may gain."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice, tee
from typing import NamedTuple

from ssd.speculation.draft_tree import Node, Taken
from ssd.speculation.node_costs import NodeCosts


class Choice(NamedTuple):
    """The nodes of a round, the ratio of steps to costs with them, and whether their forward computes later blocks."""

    nodes: list[Node]
    ratio: float
    spans: bool


class DraftLengthPolicy:
    """Chooses the number of nodes per round, from relative costs of forwards over 1 to `budget` nodes.

    chooses_reach: whether it also chooses if forwards compute later blocks, because their cost is known.
    """

    def __init__(self, costs: NodeCosts, budget: int) -> None:
        self.chooses_reach = costs.spanning is not None
        self._costs = [[costs.relative(count, spans) for count in range(1, budget + 1)] for spans in (False, True)]
        self._cheapest = [_cheapest(each) for each in self._costs]

    def cost(self, nodes: int, spans: bool) -> float:
        """Return the cost of a forward over this number of nodes; the unit is one node without later blocks."""
        return self._costs[spans][nodes - 1]

    def choose(
        self,
        taken: Iterable[Taken],
        steps: float,
        spent: float,
        spans: bool = False,
        bonus: float = 0.0,
        fills: Callable[[Node], bool] = lambda node: False,
    ) -> Choice:
        """Return the first nodes of a tree, in the number with the best ratio of steps to costs.

        steps, spent: steps and costs of the response's earlier rounds. A round adds nodes while they raise the ratio
        over all rounds together; this minimises the total cost (Dinkelbach's method for a ratio of sums).
        A forward makes one step, and one more for every node that is reached; bonus: what further steps it is worth to
        reach a node that `fills` the block. The search ends when no number of further nodes as likely as the last one
        can raise the ratio. Where branches meet, a later node may be likelier; on recorded trajectories a full search
        gained under 1 %.
        """
        nodes: list[Node] = []
        expected, best, chosen = steps, 0.0, 1
        for cost, cheapest, (node, reached) in zip(self._costs[spans], self._cheapest[spans], taken, strict=False):
            nodes.append(node)
            expected += reached * (1 + bonus * fills(node))
            ratio = expected / (spent + cost)
            if ratio > best:
                best, chosen = ratio, len(nodes)
            if cheapest is None or reached * (1 + bonus) < best * cheapest:
                break
        return Choice(nodes[:chosen], best, spans)

    def choose_reach(
        self, taken: Iterable[Taken], steps: float, spent: float, masks: Callable[[Node], int], most_picks: int
    ) -> Choice:
        """Return the better of two choices: nodes in the block, or nodes whose forward computes later blocks, too.

        masks: of the block, in a node's state; a node with at most `most_picks` fills the block by its own picks. If
        its forward has computed the next block, that block's first forward carries a draft. Otherwise the first forward
        makes one step at the cost of one node, where others would make as many as the ratio says.
        """
        within, beyond = tee(islice(taken, len(self._costs[True])))
        inside = self.choose((each for each in within if masks(each.node)), steps, spent)
        spanning = self.choose(
            beyond, steps, spent, True, max(inside.ratio - 1, 0.0), lambda node: 0 < masks(node) <= most_picks
        )
        return max(inside, spanning, key=lambda choice: choice.ratio)


def _cheapest(costs: list[float]) -> list[float | None]:
    """Return the lowest cost per further node, for each number of nodes; None for the last one."""
    counts = range(len(costs))
    return [
        min(((costs[more] - costs[count]) / (more - count) for more in counts[count + 1 :]), default=None)
        for count in counts
    ]
