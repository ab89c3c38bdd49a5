"""The session of one response: it opens blocks, and computes and ranks their states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ssd.decoding.canvas import Block, Canvas, commits_block_start
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.draft import Draft
from ssd.decoding.ranking import Ranking
from ssd.decoding.rule import SteppingRule
from ssd.decoding.scores import Scores
from ssd.decoding.settings import GenerationSettings
from ssd.decoding.trace import Kind
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.kv_cache import KVCache


@dataclass(frozen=True)
class DecodeSession:
    """Model, canvas and stepping rule of one response.

    draft_state: the decoder's own state from forward to forward; it ends with the response.
    """

    model: DiffusionModel
    canvas: Canvas
    rule: SteppingRule
    runner_up: bool
    draft_state: Any

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
    ) -> DecodeSession:
        """Return the session of one response, with the stepping rule of settings, model and commit rule."""
        first_row_first = commits_block_start(settings, model.config.logits_shift)
        rule = SteppingRule(settings, canvas.special, prompt_ids, first_row_first, commit)
        return cls(model, canvas, rule, runner_up, draft_state)

    def open(self, draft: Draft, block: Block) -> tuple[Kind, Scores, KVCache | None]:
        """Run the block's first forward, over one state. It fills a cache, unless the window is the whole canvas."""
        if block.window.is_whole:
            logits = self.model.window(self.canvas.tokens[None], block.refresh)
            return "decode", self._score(logits, draft, block, block.refresh.first_row), None
        logits, context = self.model.refresh(self.canvas.tokens, block.refresh)
        return "refresh", self._score(logits, draft, block, block.refresh.first_row), context

    def evaluate(self, draft: Draft, block: Block, context: KVCache | None) -> Scores:
        """Run one forward over the draft's states [nodes, span], each placed in the canvas' window. Returns scores."""
        window = block.window
        surroundings = self.canvas.tokens[window.start : window.stop].repeat(draft.nodes, 1)
        surroundings[:, block.start - window.start : block.span_stop - window.start] = draft.states
        logits = self.model.window(surroundings, window, context)
        return self._score(logits, draft, block, window.first_row)

    def rank(self, scores: Scores, draft: Draft, block: Block) -> Ranking:
        """Return the ranked picks of every node."""
        return self.rule.rank(scores, self._masked(draft), block)

    def _score(self, logits: Tensor, draft: Draft, block: Block, first_position: int) -> Scores:
        masked = self._masked(draft)
        scores = self.rule.score(logits, masked, draft.steps, block, first_position, self.runner_up)
        return scores.lead_with(first_position - block.start)

    def _masked(self, draft: Draft) -> Tensor:
        return draft.states == self.canvas.special.mask_id
