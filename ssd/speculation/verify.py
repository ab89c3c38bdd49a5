"""Verification: the accepted path of a draft, whose nodes agree exactly with the stepping rule."""

from __future__ import annotations

from torch import Tensor

from ssd.decoding.draft import Draft


def accepted_path(draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
    """Return the accepted nodes, from node 0 on: each is the state and step that the one before leads to.

    next_states: int64 [nodes, block], next_steps: int64 [nodes]: the state and step after each node's own picks under
    the stepping rule. A node is accepted only if an accepted node's picks lead exactly to it, in every position and
    token. So stepwise decoding passes through every accepted state. In a tree, it also follows the node before it.
    """
    same = (next_states[:, None] == draft.states).all(dim=-1) & (next_steps[:, None] == draft.steps)
    if (follows := draft.follows) is not None:
        same &= follows
    found, successor = same.max(dim=1)
    has_next, successors = found.tolist(), successor.tolist()
    path = [0]
    while has_next[path[-1]]:
        path.append(successors[path[-1]])
    return path
