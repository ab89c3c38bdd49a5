"""A draft: the states that one forward computes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draft:
    """Nodes of one forward. Node 0 is the current state; every other node is the state after drafted picks.

    states: int64 [nodes, span], the block and the later blocks of a lookahead;
    steps: int64 [nodes], the step of each node's own picks;
    depths: number of steps from node 0 to each node;
    parents: of a tree, the node before each node (node 0's is 0); None if several paths may lead to one node;
    spans: False if the forward leaves out the later blocks of the span, with block-causal attention. No node has picks
    in them, then.
    """

    states: Tensor
    steps: Tensor
    depths: tuple[int, ...]
    parents: tuple[int, ...] | None = None
    spans: bool = True

    @classmethod
    def of_state(cls, state: Tensor, step: int) -> Draft:
        """Return the current state alone, as in stepwise decoding."""
        return cls(state[None], torch.tensor([step]), (0,), (0,))

    @property
    def nodes(self) -> int:
        return len(self.depths)

    @property
    def follows(self) -> Tensor | None:
        """bool [nodes, nodes]: whether a tree's node (column) is the next one of a node (row); None without a tree."""
        if self.parents is None:
            return None
        nodes = torch.arange(self.nodes)
        return (torch.tensor(self.parents) == nodes[:, None]) & (nodes > 0)

    @property
    def drafted(self) -> tuple[int, ...]:
        """Number of drafted nodes per depth, from depth 1 on."""
        deepest = max(self.depths)
        return tuple(self.depths.count(depth) for depth in range(1, deepest + 1))
