"""Records of drafts: they keep decoding's own tensors, and become plain data only on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ssd.decoding.draft import Draft
from ssd.decoding.scores import Scores


class DraftedNode(NamedTuple):
    """A drafted state of one forward.

    picks: (position, token) of all picks beyond the current state, positions counted from the response's start;
    confidence: the smallest of its picks; accepted: whether it is on the accepted path.
    """

    depth: int
    picks: tuple[tuple[int, int], ...]
    confidence: float
    accepted: bool


@dataclass(frozen=True)
class DraftRecord:
    """The draft of one forward and its accepted path.

    path: the accepted nodes; first: the response position of the states' first row; confidence: float64 [span], of the
    current scores when it was drafted; other_token, other_confidence: [span], the runner-up and its own confidence,
    None unless it was requested and confidence belongs to tokens, not positions. Where tokens are sampled, a later
    step may draft another token than the current one; its record has the current one's confidence.
    """

    draft: Draft
    path: tuple[int, ...]
    first: int
    confidence: Tensor
    other_token: Tensor | None = None
    other_confidence: Tensor | None = None

    @classmethod
    def of(cls, draft: Draft, path: Sequence[int], first: int, scores: Scores, runner_up: bool) -> DraftRecord:
        """Return the record of a draft that was made from the scores of one node.

        It copies up to three rows, because a view would keep the scores of all nodes in memory.
        """
        confidence = scores.confidence[0].clone()
        if not runner_up:
            return cls(draft, tuple(path), first, confidence)
        others = scores.other_token[0].clone(), scores.other_probability[0].clone()
        return cls(draft, tuple(path), first, confidence, *others)

    def nodes(self) -> list[DraftedNode]:
        """Return the drafted nodes, in the draft's order."""
        return [self._node(node) for node in range(1, self.draft.nodes)]

    def _node(self, node: int) -> DraftedNode:
        states = self.draft.states
        rows = (states[node] != states[0]).nonzero()[:, 0]
        tokens, confidence = states[node, rows], self.confidence[rows]
        if self.other_token is not None and self.other_confidence is not None:
            confidence = self.other_confidence[rows].where(tokens == self.other_token[rows], confidence)
        picks = tuple(zip((rows + self.first).tolist(), tokens.tolist(), strict=True))
        # A node without picks of its own repeats the current state, which is certain.
        return DraftedNode(self.draft.depths[node], picks, min(confidence.tolist(), default=1.0), node in self.path)
