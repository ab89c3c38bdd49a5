"""What a forward drafted: kept as the tensors that decoding has anyway, made plain data only when somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ssd.decoding.draft import Draft
from ssd.decoding.scores import Scores


class DraftedNode(NamedTuple):
    """A state that one forward evaluated beside the current state.

    picks: (position, token) of all that it holds more than the current state, positions counted from the response's
    start; confidence: the least of its picks'; accepted: whether it lies on the believed path.
    """

    depth: int
    picks: tuple[tuple[int, int], ...]
    confidence: float
    accepted: bool


@dataclass(frozen=True)
class DraftRecord:
    """The draft of one forward and how it fared.

    path: the believed nodes; first: the response position of the states' first row; confidence: float64 [span], of the
    current scores when it was drafted; other_token, other_confidence: [span], the runner-up and its own confidence,
    None unless one was asked for and a confidence is a token's, not a position's. Where tokens are sampled, a later
    step may draft another token than the one in hand; it counts with the confidence of the one in hand.
    """

    draft: Draft
    path: tuple[int, ...]
    first: int
    confidence: Tensor
    other_token: Tensor | None = None
    other_confidence: Tensor | None = None

    @classmethod
    def of(cls, draft: Draft, path: Sequence[int], first: int, scores: Scores, runner_up: bool) -> DraftRecord:
        """The record of a draft that was made from the scores of one node.

        Copies a row or three, because a view would keep the scores of all nodes alive.
        """
        confidence = scores.confidence[0].clone()
        if not runner_up:
            return cls(draft, tuple(path), first, confidence)
        others = scores.other_token[0].clone(), scores.other_probability[0].clone()
        return cls(draft, tuple(path), first, confidence, *others)

    def nodes(self) -> list[DraftedNode]:
        """The drafted nodes, in the order in which they were evaluated."""
        return [self._node(node) for node in range(1, self.draft.nodes)]

    def _node(self, node: int) -> DraftedNode:
        states = self.draft.states
        rows = (states[node] != states[0]).nonzero()[:, 0]
        tokens, confidence = states[node, rows], self.confidence[rows]
        if self.other_token is not None and self.other_confidence is not None:
            confidence = self.other_confidence[rows].where(tokens == self.other_token[rows], confidence)
        picks = tuple(zip((rows + self.first).tolist(), tokens.tolist(), strict=True))
        # A node without picks of its own is the current state once more, of which there is nothing to doubt.
        return DraftedNode(self.draft.depths[node], picks, min(confidence.tolist(), default=1.0), node in self.path)
