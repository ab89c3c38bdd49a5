"""Fast-dLLM (arXiv 2505.22618): one step commits every token with a high enough probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from ssd.decoding.commit_rule import CommitName, commit_rule
from ssd.decoding.decoder import BlockDecoder, Decoded
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel

Scope = Literal["block", "global"]


class FastDLLM(BlockDecoder):
    """Stepwise decoding in which the logits, not a schedule, decide how many tokens a step commits. Lossy.

    rule: `threshold` commits the first pick and every other mask of the block whose token has a probability of at least
    `threshold`; `factor` commits the n most probable while the n-th has at least 1 - factor / (n + 1);
    `dynamic` commits all above `threshold`, and at least the tokens per step of generation.steps (SDAR, 2510.06303).
    scope: `global` uses the whole response as one block, like the published code for Dream without a cache.
    For the other rules generation.steps and generation.schedule have no effect.
    Raises ValueError naming the option and the expected values.
    """

    def __init__(
        self, rule: CommitName = "threshold", threshold: float = 0.9, factor: float = 1.0, scope: Scope = "block"
    ) -> None:
        self.commit = commit_rule(rule, threshold, factor)
        if scope not in get_args(Scope):
            raise ValueError(f"decoder.scope={scope!r}: expected one of {', '.join(get_args(Scope))}")
        self.scope = scope
        self.in_block_order = scope == "block"

    def __str__(self) -> str:
        return f"stepwise decoding, {self.commit}"

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        if self.scope == "global" and settings.grid == "absolute":
            raise ValueError(
                "decoder.scope=global: a block-causal model decodes block by block; pass decoder.scope=block"
            )
        if self.scope == "global" and settings.cache != "none":
            raise ValueError(
                f"decoder.scope=global with generation.cache={settings.cache}: a cache is filled block by block; "
                "pass generation.cache=none or decoder.scope=block"
            )

    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        if self.scope == "global":
            settings = replace(settings, block_length=settings.gen_length, steps=None)
        return super().decode(model, prompt_ids, settings, special)
