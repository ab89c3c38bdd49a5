"""Fast-dLLM (arXiv 2505.22618): one step commits every token with a high enough probability."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Literal, get_args

from torch import Tensor

from baselines.rules.factor import Factor
from baselines.rules.threshold import Dynamic, Threshold
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.commit_rule import CommitRule, Signals, require_rule
from ssd.decoding.decoder import Decoded
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel

RuleName = Literal["threshold", "factor", "dynamic"]
Scope = Literal["block", "global"]


class FastDLLM(BlockDecoder):
    """Stepwise decoding in which the logits, not a schedule, decide how many tokens a step commits. Lossy.

    rule: `threshold` commits the first pick and every other mask of the block whose token has a probability of at least
    `threshold`; `factor` commits the n most probable while the n-th has at least 1 - factor / (n + 1);
    `dynamic` commits all above `threshold`, and at least the tokens per step of generation.steps (SDAR, 2510.06303).
    scope: `global` uses the whole response as one block, like the published code for Dream without a cache;
    candidates: of scope `global`, after n forwards at most n times this number of tokens are committed (None: any
    number). The published code has gen_length / steps candidates, which is 32 in its scripts.
    commit: another rule, with its own options, in place of the three above.
    Only `dynamic`, and rules by which no row may pass, use generation.steps. generation.schedule has no effect.
    Raises ValueError naming the option and the expected values.
    """

    def __init__(
        self,
        rule: RuleName = "threshold",
        threshold: float = 0.9,
        factor: float = 1.0,
        scope: Scope = "block",
        candidates: int | None = None,
        commit: CommitRule | None = None,
    ) -> None:
        self.commit: CommitRule = chosen_rule(rule, threshold, factor, commit)
        if scope not in get_args(Scope):
            raise ValueError(f"decoder.scope={scope!r}: expected one of {', '.join(get_args(Scope))}")
        if candidates is not None and (type(candidates) is not int or candidates < 1):
            raise ValueError(f"decoder.candidates={candidates}: expected null or a whole number of at least 1")
        if candidates is not None and scope == "block":
            raise ValueError(f"decoder.candidates={candidates} with decoder.scope=block: pass decoder.scope=global")
        if candidates is not None and commit is not None:
            raise ValueError(f"decoder.candidates={candidates} with decoder.commit: pass decoder.candidates=null")
        self.scope = scope
        self.candidates = candidates
        self.in_block_order = scope == "block"

    def __str__(self) -> str:
        cap = f", {self.candidates} candidates" if self.candidates else ""
        return f"stepwise decoding, {self.commit}{cap}"

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        self.commit.check(settings)
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


class Capped(CommitRule):
    """The rows of another rule, the most probable first: n steps commit at most `per_step` · n rows.

    See Fast-dLLM's published code for Dream. One object serves one response without drafts, because it counts steps.
    """

    def __init__(self, inner: CommitRule, per_step: int) -> None:
        self.inner = inner
        self.per_step = per_step
        self._steps = 0

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        self._steps += 1
        committed = (~masked).sum(dim=1, keepdim=True)
        place = signals.probability.argsort(dim=1, descending=True, stable=True).argsort(dim=1)
        return self.inner.passes(signals, masked, order) & (place < self.per_step * self._steps - committed)


def chosen_rule(rule: RuleName, threshold: float, factor: float, commit: CommitRule | None) -> CommitRule:
    """Return the commit rule of a decoder's options. Raises ValueError naming the option and the expected values."""
    if commit is not None:
        require_rule(commit)
        given = {"rule": (rule, "threshold"), "threshold": (threshold, 0.9), "factor": (factor, 1.0)}
        idle = [f"decoder.{name}={value}" for name, (value, default) in given.items() if value != default]
        if idle:
            raise ValueError(
                f"{idle[0]} has no effect with a rule of decoder/commit; pass decoder.commit.NAME=VALUE, an option of "
                "that rule"
            )
        return commit
    if rule not in get_args(RuleName):
        raise ValueError(f"decoder.rule={rule!r}: expected one of {', '.join(get_args(RuleName))}")
    for name, value in (("threshold", threshold), ("factor", factor)):
        if type(value) not in (int, float) or not value > 0:
            raise ValueError(f"decoder.{name}={value}: expected a number above 0")
    if rule == "factor":
        return Factor(factor)
    return Dynamic(threshold) if rule == "dynamic" else Threshold(threshold)
