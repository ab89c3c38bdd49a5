"""PSD (arXiv 2605.15609): self-speculation over a rule that commits several tokens per step."""

from __future__ import annotations

from typing import get_args

from baselines.fast_dllm import FastDLLM, RuleName
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.config import ModelConfig
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.draft_tree import Builder
from ssd.speculation.options import Depth
from ssd.speculation.round_costs import Costs


class ParallelSelfSpeculative(SelfSpeculative):
    """Lossless relative to its rule: the response is that of stepwise decoding which commits by the same rule.

    rule, threshold, factor, commit: as in Fast-dLLM; the others: as in SSD. Drafts add one token per node. A step that
    commits several tokens leads directly to the node that contains them all. With a rule that depends on the path, a
    step leads only to the next node.
    """

    def __init__(
        self,
        rule: RuleName = "threshold",
        threshold: float = 0.9,
        factor: float = 1.0,
        depth: Depth = 8,
        width: int | None = None,
        budget: int | None = None,
        builder: Builder = "chain",
        alternatives: bool = False,
        costs: Costs | None = None,
        commit: CommitRule | None = None,
    ) -> None:
        if builder not in get_args(Builder):
            raise ValueError(f"decoder.builder={builder!r}: expected one of {', '.join(get_args(Builder))}")
        super().__init__(depth, width, budget, builder, alternatives, costs=costs)
        self._reference = FastDLLM(rule, threshold, factor, commit=commit)
        self.commit = self._reference.commit

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        super().check(settings, model)
        self._reference.check(settings, model)

    @property
    def reference(self) -> FastDLLM:
        return self._reference
