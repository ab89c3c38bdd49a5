"""FreeDave (arXiv 2510.00294): draft a chain of static steps, verify it in one forward, keep the agreeing part."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from baselines.fast_dllm import FastDLLM
from baselines.rules.threshold import Threshold
from ssd.decoding.block_decoder import BlockDecoder, BlockState
from ssd.decoding.cache_policy import cache_policy, caches_across_blocks
from ssd.decoding.commit_rule import CommitRule, require_rule
from ssd.decoding.draft import Draft
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.config import ModelConfig
from ssd.speculation.draft_tree import grow
from ssd.speculation.forecast import Forecast

MatchRule = Literal["exact_match", "subset"]


class FreeDave(BlockDecoder):
    """Lossless with one token per step, drafts kept inside the block, and no threshold.

    draft_steps: nodes per forward, the current state included; rule: a draft agrees with a target if they are equal, or
    (`subset`) if the target contains all its tokens; eager: drafts continue into later blocks;
    threshold: FreeDave++, whose steps commit all tokens at least that probable, as Fast-dLLM's do;
    commit: FreeDave++ with another commit rule.
    Raises ValueError naming the option, its value and what was expected.
    """

    def __init__(
        self,
        draft_steps: int = 4,
        rule: MatchRule = "subset",
        eager: bool = False,
        threshold: float | None = None,
        commit: CommitRule | None = None,
    ) -> None:
        if type(draft_steps) is not int or draft_steps < 1:
            raise ValueError(f"decoder.draft_steps={draft_steps}: expected a whole number of at least 1")
        if rule not in get_args(MatchRule):
            raise ValueError(f"decoder.rule={rule!r}: expected one of {', '.join(get_args(MatchRule))}")
        if type(eager) is not bool:
            raise ValueError(f"decoder.eager={eager}: expected true or false")
        if threshold is not None and (type(threshold) not in (int, float) or not threshold > 0):
            raise ValueError(f"decoder.threshold={threshold}: expected null or a number above 0")
        if threshold is not None and commit is not None:
            raise ValueError(
                f"decoder.threshold={threshold} has no effect with a rule of decoder/commit; pass "
                "decoder.commit.NAME=VALUE, an option of that rule"
            )
        if commit is not None:
            require_rule(commit)
        self.draft_steps = draft_steps
        self.rule: MatchRule = rule
        self.eager = eager
        self.commit = commit if threshold is None else Threshold(threshold)

    @property
    def most_nodes(self) -> int:
        return self.draft_steps

    @property
    def most_steps(self) -> int | None:
        return None if self.eager else self.draft_steps

    @property
    def reference(self) -> FastDLLM | None:
        """Decoding by the same commit rule for FreeDave++, None (stepwise decoding) for FreeDave."""
        return None if self.commit is None else FastDLLM(commit=self.commit)

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        if self.commit is not None:
            self.commit.check(settings)
        if self.eager and self.commit is not None and self.commit.memory == "path":
            raise ValueError(
                f"decoder.eager=true with commit rule {self.commit}: its memory begins with each block; pass "
                "decoder.eager=false"
            )
        if self.eager and settings.stop != "none" and not cache_policy(settings).verifies_later_blocks:
            raise ValueError(
                f"decoder.eager=true with generation.stop={settings.stop}: with generation.cache={settings.cache} a "
                "stop after one block would undo what was drafted into the next; pass generation.stop=none, "
                f"generation.cache={' or '.join(caches_across_blocks(settings.grid))} or decoder.eager=false"
            )

    def caveat(self, settings: GenerationSettings) -> str | None:
        if self.eager and not cache_policy(settings).verifies_later_blocks:
            return "decoder.eager decides tokens of the next block before its cache is refreshed"
        if self.commit is not None and self.rule == "subset":
            return "decoder.rule=subset accepts a part of what a step commits; exact_match would not"
        return None

    def lookahead(self, settings: GenerationSettings) -> int:
        steps = settings.block_length if self.commit else settings.steps_per_block
        return -(-self.draft_steps // steps) if self.eager else 0

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        depth = self.draft_steps - 1
        if not depth:
            return Draft.of_state(current.state, current.step)
        forecast, merged = Forecast(session, current, depth), not session.needs_tree
        return grow(forecast, current, "chain", depth, 1, self.draft_steps, False, merged)

    def accept(self, session: DecodeSession, draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
        """Return the path of the furthest drafts that agree with the last accepted node's target, until none does."""
        targets, drafts = next_states[:, None], draft.states[None]
        same = drafts == targets
        if self.rule == "subset":
            same = same | (drafts == session.canvas.special.mask_id)
        agrees = same.all(dim=-1).triu(diagonal=1)
        if self.commit is None:
            agrees &= draft.steps == next_steps[:, None]
        if (follows := draft.follows) is not None:
            agrees &= follows
        ordinals = torch.arange(draft.nodes)
        furthest = torch.where(agrees, ordinals, 0).amax(dim=1).tolist()
        path = [0]
        while furthest[path[-1]]:
            path.append(furthest[path[-1]])
        return path
