"""Fast-dLLM (arXiv 2505.22618): one step commits every token with a high enough probability."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Literal, get_args

from ssd.decoding.commit_rule import Capped, CommitName, CommitRule, check_steps, commit_rule
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
    scope: `global` uses the whole response as one block, like the published code for Dream without a cache;
    candidates: of scope `global`, after n forwards at most n times this number of tokens are committed (None: any
    number). The published code has gen_length / steps candidates, which is 32 in its scripts.
    For the other rules generation.steps and generation.schedule have no effect.
    Raises ValueError naming the option and the expected values.
    """

    def __init__(
        self,
        rule: CommitName = "threshold",
        threshold: float = 0.9,
        factor: float = 1.0,
        scope: Scope = "block",
        candidates: int | None = None,
    ) -> None:
        self.commit: CommitRule = commit_rule(rule, threshold, factor)
        if scope not in get_args(Scope):
            raise ValueError(f"decoder.scope={scope!r}: expected one of {', '.join(get_args(Scope))}")
        if candidates is not None and (type(candidates) is not int or candidates < 1):
            raise ValueError(f"decoder.candidates={candidates}: expected null or a whole number of at least 1")
        if candidates is not None and scope == "block":
            raise ValueError(f"decoder.candidates={candidates} with decoder.scope=block: pass decoder.scope=global")
        self.scope = scope
        self.candidates = candidates
        self.in_block_order = scope == "block"

    def __str__(self) -> str:
        cap = f", {self.candidates} candidates" if self.candidates else ""
        return f"stepwise decoding, {self.commit}{cap}"

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        check_steps(self.commit, settings)
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
        decoder = self
        if self.scope == "global":
            settings = replace(settings, block_length=settings.gen_length, steps=None)
            decoder = copy(self)  # with a rule of its own for each response
            decoder.commit = Capped(self.commit, self.candidates) if self.candidates else self.commit
        return super(FastDLLM, decoder).decode(model, prompt_ids, settings, special)
