"""The session of one response: it opens blocks, and computes and ranks their states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ssd.decoding.cache_policy import cache_policy
from ssd.decoding.caches.policy import CachePolicy, Forward, Opening
from ssd.decoding.canvas import Block, Canvas, commits_block_start
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.draft import Draft
from ssd.decoding.path_memory import Lineage
from ssd.decoding.ranking import Ranking
from ssd.decoding.rule import SteppingRule
from ssd.decoding.scores import DecidedRows, Scores
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.forwards import Context, DiffusionModel


@dataclass(frozen=True)
class DecodeSession:
    """Model, canvas and stepping rule of one response.

    draft_state: the decoder's own state from forward to forward; it ends with the response;
    drafts: whether the decoder or its rule's memory needs the logits of all masked positions in every forward;
    keeps_confidences: whether scores include the confidences of decided rows.
    """

    model: DiffusionModel
    canvas: Canvas
    rule: SteppingRule
    runner_up: bool
    draft_state: Any
    cache: CachePolicy
    drafts: bool
    keeps_confidences: bool

    @classmethod
    def start(
        cls,
        model: DiffusionModel,
        canvas: Canvas,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        commit: CommitRule | None = None,
        runner_up: bool = False,
        draft_state: Any = None,
        drafts: bool = False,
        keeps_confidences: bool = False,
    ) -> DecodeSession:
        """Return the session of one response, with the stepping rule of settings, model and commit rule."""
        first_row_first = commits_block_start(settings, model.config.logits_shift)
        rule = SteppingRule(settings, canvas.special, prompt_ids, first_row_first, commit)
        # A rule with memory reads the same logits at a block's start, whether its decoder drafts or not.
        drafts = drafts or rule.has_memory
        return cls(model, canvas, rule, runner_up, draft_state, cache_policy(settings), drafts, keeps_confidences)

    @property
    def needs_tree(self) -> bool:
        """Whether drafts must be trees, because the logits or picks of a state depend on the path to it."""
        return self.rule.has_memory or self.cache.depends_on == "path"

    def open(self, draft: Draft, block: Block) -> tuple[Opening, Scores]:
        """Run the block's first forward over the draft's states. Returns it, and their scores."""
        computed = self.computed(draft, block)
        states = draft.states[:, : computed.span_stop - block.start]
        opening = self.cache.open(self.model, self.canvas, states, computed, self.drafts)
        return opening, self.score(opening.logits, draft, block, opening.first_position)

    def evaluate(
        self, draft: Draft, block: Block, context: Context | None, before: Scores | None = None
    ) -> tuple[Forward, Scores]:
        """Run one forward over the draft's states [nodes, span], each placed in the canvas. Returns it, and scores.

        before: of the state before node 0, one node; only a commit rule with memory needs them. A block's first state
        has none.
        """
        forward = self.cache.evaluate(self.model, self.canvas, draft, self.computed(draft, block), context)
        return forward, self.score(forward.logits, draft, block, forward.first_position, before)

    def computed(self, draft: Draft, block: Block) -> Block:
        """Return the block, without its lookahead if the draft leaves it out, or if no node's own picks can fill it.

        Rows of later blocks would then cost time and give nothing: with block-causal attention they do not change those
        of the block. Full attention reads them in any case.
        """
        if block.span_stop == block.stop or self.rule.settings.causal_block is None:
            return block
        if not draft.spans:
            return block.alone()
        masks = self._masked(draft)[:, : block.stop - block.start].sum(dim=1)
        return block if bool((masks <= self.rule.most_picks).any()) else block.alone()

    def rank(self, scores: Scores, draft: Draft, block: Block) -> Ranking:
        """Return the ranked picks of every node."""
        return self.rule.rank(scores, self._masked(draft), block)

    def score(
        self, logits: Tensor, draft: Draft, block: Block, first_position: int, before: Scores | None = None
    ) -> Scores:
        """Return the scores of a forward's logits [nodes, rows, vocabulary]; before: see `evaluate`."""
        masked, lineage = self._masked(draft), None
        if self.rule.has_memory and draft.parents is not None:
            lineage = Lineage(draft.parents, before.memory if before else self.rule.memory_before)
        decided = self._decided(logits, draft, block, first_position, lineage) if self.keeps_confidences else None
        scores = self.rule.score(logits, masked, draft.steps, block, first_position, self.runner_up, lineage=lineage)
        fitted = scores.fit(first_position - block.start, masked.shape[1])
        return fitted if decided is None else replace(fitted, decided=decided)

    def _decided(
        self, logits: Tensor, draft: Draft, block: Block, first_position: int, lineage: Lineage | None
    ) -> DecidedRows:
        """Return the confidences of the decided rows. They take a reduction of their own, made on request only."""
        states = self.canvas.tokens.repeat(draft.nodes, 1)
        states[:, block.start : block.start + draft.states.shape[1]] = draft.states
        tokens = states[:, first_position : first_position + logits.shape[1]]
        judged, masked = tokens.to(logits.device), self._masked(draft)
        scores = self.rule.score(
            logits.clone(), masked, draft.steps, block, first_position, False, judged, lineage=lineage
        )
        is_masked = tokens == self.canvas.special.mask_id
        return DecidedRows(first_position, scores.other_probability.masked_fill(is_masked, torch.nan))

    def _masked(self, draft: Draft) -> Tensor:
        return draft.states == self.canvas.special.mask_id
