"""Scores: a forward's logits, reduced on the device and copied to the host at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.decoding.path_memory import PathMemory, of_node


@dataclass(frozen=True)
class KeptLogits:
    """Logits that stay on the device: at a temperature above 0, later steps draw other tokens from them.

    values: [nodes, rows, vocabulary]; first_position: the first row's position in the canvas; before: the number of
    rows of the scores before it.
    """

    values: Tensor
    first_position: int
    before: int = 0


class DecidedRows(NamedTuple):
    """The confidences of the decided rows of one forward.

    first: the first row's position in the canvas; probability: float64 [nodes, rows], NaN where a state has a mask.
    The confidence of a decided position is the probability of its token in this forward, in the distribution that
    picks take their probability from. With shifted logits, the left neighbour's output predicts the position.
    """

    first: int
    probability: Tensor


@dataclass(frozen=True)
class Scores:
    """Per node and block position, on the host: the token that a pick would commit, and its confidence.

    step: int64 [nodes], the step of picks from these scores; token: int64 [nodes, rows];
    confidence: float64 [nodes, rows], the key of the ranking; probability: float64 [nodes, rows], of the token;
    other_token, other_probability: of the second-best token, if requested;
    entropy, kl: float64 [nodes, rows], signals of a commit rule, None unless it asks for them; memory: on the device;
    decided: the confidences of decided rows in all nodes of the forward, if requested.
    """

    step: Tensor
    token: Tensor
    confidence: Tensor
    probability: Tensor
    other_token: Tensor
    other_probability: Tensor
    kept: KeptLogits | None = None
    decided: DecidedRows | None = None
    entropy: Tensor | None = None
    kl: Tensor | None = None
    memory: PathMemory | None = None

    @classmethod
    def to_host(
        cls,
        step: Tensor,
        fields: Mapping[str, Tensor],
        kept: KeptLogits | None = None,
        memory: PathMemory | None = None,
    ) -> Scores:
        """Return scores of the fields by name, in one copy from the device. Token ids are exact in float64.

        Raises FloatingPointError if logits were not finite.
        """
        host = dict(zip(fields, torch.stack([field.double() for field in fields.values()]).cpu(), strict=True))
        if any(torch.isnan(host[name]).any() for name in ("confidence", "probability")):
            raise FloatingPointError("the model's logits are not finite; try runtime.dtype=float32")
        tokens = {name: host.pop(name).long() for name in ("token", "other_token")}
        return cls(step, **tokens, **host, kept=kept, memory=memory)

    def node(self, index: int) -> Scores:
        """Return the scores of one node, still with a nodes axis: [1, rows]."""
        kept = self.kept and replace(self.kept, values=of_node(self.kept.values, index))
        alone = self._each(lambda field: field[index : index + 1])
        memory = self.memory and self.memory.node(index)
        return replace(alone, step=self.step[index : index + 1], kept=kept, memory=memory)

    def at(self, steps: Tensor) -> Scores:
        """Return one node's scores as those of several steps [steps] (views, no copies)."""
        return replace(self._each(lambda field: field.expand(len(steps), -1)), step=steps)

    def fit(self, before: int, rows: int) -> Scores:
        """Return scores of `rows` positions: `before` of them come first. Added positions are not predicted here."""
        after = rows - before - self.token.shape[1]
        if not before and not after:
            return self
        padded = self._each(lambda field: F.pad(field, (before, after)))
        confidence = F.pad(self.confidence, (before, after), value=-torch.inf)  # see `predicted`
        kept = self.kept and replace(self.kept, before=before)
        return replace(padded, confidence=confidence, kept=kept)

    def moved(self, by: int, rows: int) -> Scores:
        """Return scores of `rows` positions from the position `by` on. Positions behind the last are not predicted."""
        kept = self.kept
        if kept is not None:
            passed = max(0, by - kept.before)
            kept = KeptLogits(kept.values[:, passed:], kept.first_position + passed, max(0, kept.before - by))
        return replace(self._each(lambda field: field[:, by:]), kept=kept).fit(0, rows)

    @property
    def predicted(self) -> Tensor:
        """bool [nodes, rows]: the positions that the forward predicted."""
        return self.confidence.isfinite()

    def _each(self, change: Callable[[Tensor], Tensor]) -> Scores:
        return replace(
            self,
            token=change(self.token),
            confidence=change(self.confidence),
            probability=change(self.probability),
            other_token=change(self.other_token),
            other_probability=change(self.other_probability),
            entropy=None if self.entropy is None else change(self.entropy),
            kl=None if self.kl is None else change(self.kl),
        )
