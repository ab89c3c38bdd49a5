"""The verification walk: from node to node, as long as a draft holds exactly what the stepping rule does next."""

from __future__ import annotations

from torch import Tensor

from ssd.decoding.draft import Draft


def accepted_path(draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
    """Nodes from node 0 on, each being the state and step to which the one before leads.

    next_states: int64 [nodes, block], next_steps: int64 [nodes]: where each node's own logits lead it under the
    stepping rule. A node is believed only if its parent's logits were computed for a believed state and lead exactly
    there: every position and every token. So every believed state is one that stepwise decoding passes through.
    """
    same = (next_states[:, None] == draft.states).all(dim=-1) & (next_steps[:, None] == draft.steps)
    found, successor = same.max(dim=1)
    follows, successors = found.tolist(), successor.tolist()
    path = [0]
    while follows[path[-1]]:
        path.append(successors[path[-1]])
    return path
