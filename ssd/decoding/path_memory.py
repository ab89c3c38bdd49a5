"""Path memory: what a block's earlier steps leave for commit rules that depend on the path of states.

It stays on the device and has a nodes axis. A node's memory is its parent's, advanced by the node's own logits. It
begins with the block and advances once per step, never per forward: a draft that is not accepted leaves nothing.
A rule may ask for the distributions of the block before it, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-12
"""Added to probabilities before a logarithm, as in KLASS (arXiv 2511.05664)."""


@dataclass(frozen=True)
class Stability:
    """How far the distribution of each row moved in the last steps (KLASS, arXiv 2511.05664).

    logs: [nodes, rows, vocabulary], ln(p + 1e-12) of the node's own forward; first_position: the first row's in the
    canvas; recent: [nodes, rows, history - 1], the last KL values of the node's path, newest first, inf where there
    are fewer.
    """

    logs: Tensor
    recent: Tensor
    first_position: int

    def node(self, index: int) -> Stability:
        return replace(self, logs=of_node(self.logs, index), recent=self.recent[index : index + 1])


@dataclass(frozen=True)
class Credit:
    """The credit of tokens in each row (CreditDecoding, arXiv 2510.06133), sparse: one slot per step.

    tokens: int64 [nodes, rows, slots]; credits: float64 [nodes, rows, slots]. The credit of a token is in its last
    slot; its other slots, and those behind a node's path, have 0. used: the number of slots of each node's path;
    first_position: the first row's in the canvas.
    """

    tokens: Tensor
    credits: Tensor
    used: tuple[int, ...]
    first_position: int

    def node(self, index: int) -> Credit:
        own = slice(index, index + 1), slice(None), slice(self.used[index])
        return replace(self, tokens=self.tokens[own], credits=self.credits[own], used=self.used[index : index + 1])


@dataclass(frozen=True)
class PathMemory:
    """The memory of each node; None for what the commit rule does not ask for."""

    stability: Stability | None = None
    credit: Credit | None = None

    def node(self, index: int) -> PathMemory:
        """Return the memory of one node, still with a nodes axis."""
        return PathMemory(self.stability and self.stability.node(index), self.credit and self.credit.node(index))

    def distributions(self) -> PathMemory:
        """Return the memory of the distributions alone, without KL values and credit: the next block has its own."""
        if self.stability is None:
            return PathMemory()
        return PathMemory(replace(self.stability, recent=torch.full_like(self.stability.recent, torch.inf)))


class Lineage(NamedTuple):
    """Where the memory of a forward's nodes comes from.

    parents: the node before each node; a root is its own parent, and comes before its descendants;
    before: the memory of the state before each root, of one node; None if there is none.
    """

    parents: tuple[int, ...]
    before: PathMemory | None

    def levels(self) -> list[tuple[list[int], list[int]]]:
        """Return the nodes and their parents, depth by depth; the roots come first."""
        depths: list[int] = []
        for node, parent in enumerate(self.parents):
            depths.append(0 if parent == node else depths[parent] + 1)
        levels: list[tuple[list[int], list[int]]] = [([], []) for _ in range(max(depths) + 1)]
        for node, depth in enumerate(depths):
            levels[depth][0].append(node)
            levels[depth][1].append(self.parents[node])
        return levels


@dataclass(frozen=True)
class Fusion:
    """How credit changes logits: l[v] + alpha · ln(1 + C[v]), with C = decay · C + p ** exponent of the top token.

    by_progress: alpha and decay are the share of the response that is decided before the step.
    """

    alpha: float
    decay: float
    exponent: float
    by_progress: bool = False

    def rates(self, progress: Tensor, device: torch.device) -> tuple[Tensor | float, Tensor | float]:
        """Return alpha and decay, numbers or float64 [nodes, 1, 1]; progress: float64 [nodes], the decided share."""
        if self.by_progress:
            share = _to(progress, device)[:, None, None]
            return share, share
        return self.alpha, self.decay


def compare(probabilities: Tensor, lineage: Lineage, history: int, first_position: int) -> tuple[Tensor, Stability]:
    """Return [nodes, rows], the largest of the last `history` KL values of each row, and the nodes' memory.

    probabilities: [nodes, rows, vocabulary]. A KL value is that of a node's distribution against its parent's; where
    there is none, against p = 0. The largest of fewer than `history` values is inf.
    """
    wide = no_half(probabilities)  # 1e-12 is 0 in it
    logs = (wide + EPSILON).log_()
    nodes, rows, _ = logs.shape
    before = lineage.before.stability if lineage.before else None
    earlier, recent = logs.new_full((1, 1, 1), EPSILON).log(), logs.new_full((1, rows, history - 1), torch.inf)
    if before is not None:
        own = slice(first_position - before.first_position, first_position - before.first_position + rows)
        earlier, recent = before.logs[:, own], before.recent[:, own]
    parents = torch.tensor(lineage.parents)
    if nodes > 1:
        is_root = _to((parents == torch.arange(nodes))[:, None], logs.device)
        parents = _to(parents, logs.device)
        earlier = torch.where(is_root[..., None], earlier, logs[parents])
    values = [(logs - earlier).mul_(wide).sum(dim=-1).nan_to_num(torch.inf)]  # NaN: no token is left
    for age in range(history - 1):
        older = recent[..., age]
        values.append(older if nodes == 1 else torch.where(is_root, older, values[-1][parents]))
    path = torch.stack(values, dim=-1)
    return path.amax(dim=-1), Stability(logs, path[..., :-1], first_position)


def give_credit(
    token: Tensor, probability: Tensor, lineage: Lineage, fusion: Fusion, decay: Tensor | float, first_position: int
) -> Credit:
    """Return the credit of each node after its own step.

    token: int64 [nodes, rows], probability: float64 [nodes, rows]: the most probable token before fusion;
    decay: a number or float64 [nodes, 1, 1]. One round per depth of the tree, because a node's credit continues its
    parent's.
    """
    top, gain = token[..., None], probability[..., None] ** fusion.exponent
    rows, before = token.shape[1], lineage.before.credit if lineage.before else None
    tokens, credits = top.new_zeros((1, rows, 0)), gain.new_zeros((1, rows, 0))
    if before is not None:
        own = slice(first_position - before.first_position, first_position - before.first_position + rows)
        tokens, credits = before.tokens[:, own], before.credits[:, own]
    levels, used = lineage.levels(), [0] * len(token)
    given: list[tuple[Tensor, Tensor]] = []
    order: list[int] = []
    for depth, (nodes, parents) in enumerate(levels):
        if depth:
            since = _places([levels[depth - 1][0].index(parent) for parent in parents], token.device)
            tokens, credits = tokens[since], credits[since]
        at = _places(nodes, token.device)
        had, same = credits * (decay[at] if isinstance(decay, Tensor) else decay), tokens == top[at]
        gained = gain[at] + (had * same).sum(dim=-1, keepdim=True)
        tokens = torch.cat((tokens.expand(len(nodes), -1, -1), top[at]), dim=-1)
        credits = torch.cat((had.masked_fill(same, 0).expand(len(nodes), -1, -1), gained), dim=-1)
        given.append((tokens, credits))
        order += nodes
        for node in nodes:
            used[node] = tokens.shape[-1]
    if len(levels) > 1:
        slots = tokens.shape[-1]
        places = _places([order.index(node) for node in range(len(token))], token.device)
        tokens, credits = (
            torch.cat([F.pad(each, (0, slots - each.shape[-1])) for each in kind])[places]
            for kind in zip(*given, strict=True)
        )
    return Credit(tokens, credits, tuple(used), first_position)


def fuse(logits: Tensor, credit: Credit, alpha: Tensor | float) -> Tensor:
    """Raise logits [nodes, rows, vocabulary] by credit, in place, and return them; alpha: see `Fusion.rates`."""
    return logits.scatter_add_(-1, credit.tokens, (credit.credits.log1p() * alpha).to(logits.dtype))


def no_half(values: Tensor) -> Tensor:
    """Return the values, in float32 if they are in float16, whose smallest numbers are too large for logarithms."""
    return values.float() if values.dtype == torch.float16 else values


def of_node(values: Tensor, index: int) -> Tensor:
    """Return [1, ...] of values [nodes, ...]: a copy, because a view would keep those of all nodes in memory."""
    return values if len(values) == 1 else values[index : index + 1].clone()


def _places(nodes: Sequence[int], device: torch.device) -> Tensor | slice:
    """Return an index of nodes; a view for consecutive ones."""
    if list(nodes) == list(range(nodes[0], nodes[0] + len(nodes))):
        return slice(nodes[0], nodes[0] + len(nodes))
    return _to(torch.tensor(nodes), device)


def _to(values: Tensor, device: torch.device) -> Tensor:
    return values.to(device, non_blocking=True)  # a blocking copy would wait for the forward
