"""The session of one response: it opens blocks, and computes and ranks their states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ssd.decoding.cache_policy import cache_policy
from ssd.decoding.caches.policy import CachePolicy, Forward, Opening
from ssd.decoding.canvas import Block, Canvas, commits_block_start
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.draft import Draft
from ssd.decoding.ranking import Ranking
from ssd.decoding.rule import SteppingRule
from ssd.decoding.scores import Scores
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.forwards import Context, DiffusionModel


@dataclass(frozen=True)
class DecodeSession:
    """Model, canvas and stepping rule of one response.

    draft_state: the decoder's own state from forward to forward; it ends with the response;
    drafts: whether the decoder drafts, from the logits of all masked positions.
    """

    model: DiffusionModel
    canvas: Canvas
    rule: SteppingRule
    runner_up: bool
    draft_state: Any
    cache: CachePolicy
    drafts: bool

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
    ) -> DecodeSession:
        """Return the session of one response, with the stepping rule of settings, model and commit rule."""
        first_row_first = commits_block_start(settings, model.config.logits_shift)
        rule = SteppingRule(settings, canvas.special, prompt_ids, first_row_first, commit)
        return cls(model, canvas, rule, runner_up, draft_state, cache_policy(settings), drafts)

    @property
    def needs_tree(self) -> bool:
        """Whether drafts must be trees, because the logits or picks of a state depend on the path to it."""
        remembers = self.rule.commit is not None and self.rule.commit.memory == "path"
        return remembers or self.cache.depends_on == "path"

    def open(self, draft: Draft, block: Block) -> tuple[Opening, Scores]:
        """Run the block's first forward over the draft's states. Returns it, and their scores."""
        computed = self.computed(draft, block)
        states = draft.states[:, : computed.span_stop - block.start]
        opening = self.cache.open(self.model, self.canvas, states, computed, self.drafts)
        return opening, self._score(opening.logits, draft, block, opening.first_position)

    def evaluate(self, draft: Draft, block: Block, context: Context | None) -> tuple[Forward, Scores]:
        """Run one forward over the draft's states [nodes, span], each placed in the canvas. Returns it, and scores."""
        forward = self.cache.evaluate(self.model, self.canvas, draft, self.computed(draft, block), context)
        return forward, self._score(forward.logits, draft, block, forward.first_position)

    def computed(self, draft: Draft, block: Block) -> Block:
        """Return the block, without its lookahead if no node's own picks can fill it.

        Rows of later blocks would then cost time and give nothing: with block-causal attention they do not change those
        of the block.
        """
        if block.span_stop == block.stop or not self.cache.is_exact:
            return block
        masks = self._masked(draft)[:, : block.stop - block.start].sum(dim=1)
        return block if bool((masks <= self.rule.most_picks).any()) else block.alone()

    def rank(self, scores: Scores, draft: Draft, block: Block) -> Ranking:
        """Return the ranked picks of every node."""
        return self.rule.rank(scores, self._masked(draft), block)

    def _score(self, logits: Tensor, draft: Draft, block: Block, first_position: int) -> Scores:
        masked = self._masked(draft)
        scores = self.rule.score(logits, masked, draft.steps, block, first_position, self.runner_up)
        return scores.fit(first_position - block.start, masked.shape[1])

    def _masked(self, draft: Draft) -> Tensor:
        return draft.states == self.canvas.special.mask_id
