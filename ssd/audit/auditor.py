"""Audits of the response pairs of one run: of stored ones, and of those that a replay decodes again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ssd.audit.compare import Audit
from ssd.audit.divergence import Divergence
from ssd.audit.float64 import ExactModel
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.forwards import DiffusionModel


class Pair(NamedTuple):
    """Divergences of two responses: of the ids, or of the commit order if the ids are equal."""

    response: Divergence | None
    order: Divergence | None

    @property
    def verdict(self) -> str:
        """`identical`, `numeric` or `algorithmic`."""
        found = self.response or self.order
        return found.verdict if found else "identical"


@dataclass(frozen=True)
class Auditor:
    """A run's model, decoder, reference and settings; the other fields are those of `Audit`."""

    model: DiffusionModel
    decoder: Decoder
    reference: BlockDecoder
    settings: GenerationSettings
    special: SpecialTokens
    exact: ExactModel | None
    batched: bool = False

    def pair(self, prompt_ids: Sequence[int], seed: int, reference: Decoded, decoded: Decoded) -> Pair:
        """Compare the two responses to a prompt that were decoded with this seed."""
        settings = replace(self.settings, seed=seed)
        audit = Audit(self.model, settings, self.special, self.reference.commit, self.exact, self.batched)
        compared = (prompt_ids, reference, decoded, self.decoder)
        divergence = audit.compare(*compared)
        return Pair(divergence, None if divergence else audit.compare_order(*compared))
