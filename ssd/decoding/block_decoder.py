"""The one decoding loop: open a block, then draft, compute, accept and commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ssd.decoding.cache_policy import cache_policy, caches_across_blocks, check_pair
from ssd.decoding.caches.policy import Opening, kind_of
from ssd.decoding.canvas import Block, Canvas, check_prompt
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.decided import DecidedRecord
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.draft import Draft
from ssd.decoding.drafted import DraftRecord
from ssd.decoding.record import ForwardRecord
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Trace
from ssd.modeling.forwards import DiffusionModel


@dataclass
class BlockState:
    """A block in progress, on the host.

    state: int64 [span]; masked: bool [span], the masks that the scores predict; step: of the next picks;
    scores: of one node, computed for this state or for the state before its last picks.
    """

    block: Block
    state: Tensor
    masked: Tensor
    scores: Scores
    step: int

    @property
    def masks(self) -> int:
        return int(self.masked.sum())


class BlockDecoder(Decoder):
    """Semi-autoregressive decoding. A subclass chooses the states to compute and the accepted path among them."""

    commit: CommitRule | None = None
    """The rule for the number of picks per step; None: the schedule decides."""
    runner_up = False
    """Whether drafts use second-best tokens."""
    keeps_confidences = False
    """Whether traces keep the confidences of decided positions."""

    def new_draft_state(self) -> Any:
        """Return the `session.draft_state` of a new response, for `draft` and `accept`."""
        return None

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        """Return the states to compute next; by default the current state alone."""
        return Draft.of_state(current.state, current.step)

    def accept(self, session: DecodeSession, draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
        """Return the accepted path: nodes from node 0 on. The last node's own picks are the bonus.

        next_states: int64 [nodes, span], next_steps: int64 [nodes]: the state and step after each node's own picks.
        """
        return [0]

    def keep_confidences(self) -> None:
        self.keeps_confidences = True

    def check_cache(self, settings: GenerationSettings) -> None:
        super().check_cache(settings)
        policy = cache_policy(settings)
        if self.keeps_confidences and not policy.has_decided_rows:
            raise ValueError(
                f"runtime.confidences=true with generation.cache={settings.cache}: its forwards leave out decided "
                "positions, which then have no confidences; pass runtime.confidences=false or another cache"
            )
        if self.lookahead(settings) and not policy.has_plain_windows:
            raise ValueError(
                f"generation.cache={settings.cache}: a block's first forward decides what is stored, so that drafts "
                f"cannot reach into later blocks; pass {self.within_block}, or generation.cache="
                f"{' or '.join(caches_across_blocks(settings.grid))}"
            )

    @torch.inference_mode()
    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        check_pair(settings, model.config)
        self.check_cache(settings)
        check_prompt(prompt_ids, settings, special, model.config)
        canvas = Canvas(prompt_ids, settings, special)
        session = DecodeSession.start(
            model,
            canvas,
            prompt_ids,
            settings,
            self.commit,
            self.runner_up,
            self.new_draft_state(),
            drafts=self.most_nodes > 1,
            keeps_confidences=self.keeps_confidences,
        )
        trace = Trace()
        step, scores = 0, None
        for block in canvas.blocks(settings, model.config.logits_shift, self.lookahead(settings)):
            if self.keeps_confidences and settings.cache == "none" and settings.grid == "prompt":
                block = block.with_earlier_rows(canvas.prompt_length)
            if session.rule.memory_spans_blocks:
                block = block.with_later_rows()
            if (canvas.tokens[block.start : block.stop] == special.mask_id).any():
                step, scores = self._decode_block(session, block, trace, step, scores)
                if scores is not None:
                    session.rule.end_block(scores)
            step = max(0, step - session.rule.steps_per_block)
            scores = scores and self._carried(session, block, scores)
            if canvas.is_ended(block.start, canvas.tokens[block.start : block.stop], settings):
                trace.filled = canvas.fill_after(block)
                break
        return Decoded(canvas.response.tolist(), trace)

    def _decode_block(
        self, session: DecodeSession, block: Block, trace: Trace, step: int, known: Scores | None = None
    ) -> tuple[int, Scores | None]:
        """Fill the block, beginning at `step`. Returns the step at which it was full, and the last node's scores.

        known: earlier scores of the block's span, if a draft has reached into it.
        """
        canvas = session.canvas
        first = block.start - canvas.prompt_length
        draft = Draft.of_state(canvas.tokens[block.start : block.span_stop].clone(), step)
        current = None
        if known is not None:
            current = self._state(session, block, draft.states[0], known, step)
            draft = self._draft(session, current)
        opening, scores = self._open(session, draft, block, trace, step)
        kind, context = opening.kind, opening.context
        counts = opening.rows, opening.stored, opening.logits.shape[1]
        del opening  # its logits, which nothing needs any more, are as large as those of the next forward
        # With the other rankings, confidence belongs to the position and not to the drafted token.
        by_token = session.runner_up and session.rule.settings.ranking not in ("topk_margin", "entropy", "pc")
        while True:
            ranking = session.rank(scores, draft, block)
            next_states = ranking.apply(draft.states, scores.token)
            path = self.accept(session, draft, next_states, ranking.next_step)
            if current is not None and draft.nodes > 1:
                trace.drafts[trace.forwards] = DraftRecord.of(draft, path, first, current.scores, by_token)
            path = self._until_stop(session, block, path, next_states)
            session.cache.adopt(path)
            last = path[-1]
            state = next_states[last]
            left = ForwardRecord(kind, block.index, first, draft, path, ranking, state, scores.confidence, *counts)
            if torch.equal(state, draft.states[0]):  # otherwise the loop might never end
                raise RuntimeError(f"{type(self).__name__} spent a forward that committed nothing, at {left.event()}")
            if scores.decided is not None:
                trace.decided[trace.forwards] = DecidedRecord.of(
                    scores.decided, canvas.prompt_length, block.start, draft, path, state, scores
                )
            trace.note(left.event)
            masked = state == canvas.special.mask_id
            step = int(ranking.next_step[last])
            scores = scores.node(last)  # the memory of the other nodes is free for the next forward
            if not masked[: block.stop - block.start].any():
                canvas.tokens[block.start : block.span_stop] = state
                return step, scores
            current = self._state(session, block, state, scores, step)
            draft = self._draft(session, current)
            kind = kind_of(draft.nodes)
            forward, scores = session.evaluate(draft, block, context, scores)
            counts = forward.rows, forward.stored, forward.logits.shape[1]
            del forward

    def _open(
        self, session: DecodeSession, draft: Draft, block: Block, trace: Trace, step: int
    ) -> tuple[Opening, Scores]:
        """Run the block's first forward, and before it the one that only stores, if the policy has one."""
        stored = session.cache.store(session.model, session.canvas, block)
        if stored:
            logit_rows = session.model.config.logits_shift  # of the position behind those that are stored
            trace.note(partial(Event, "refresh", block.index, step, 1, 0, (), stored=stored, logit_rows=logit_rows))
        return session.open(draft, block)

    def _draft(self, session: DecodeSession, current: BlockState) -> Draft:
        """Return the next draft: the current state alone if its scores predict none of its masks.

        Before a cache is settled, too, the forward has the current state alone, as that of stepwise decoding.
        """
        if not current.masks or not session.cache.is_settled:
            return Draft.of_state(current.state, current.step)
        draft = self.draft(session, current)
        if draft.nodes > self.most_nodes:  # engines, numerics and predictions allow for `most_nodes` only
            raise ValueError(
                f"{type(self).__name__} drafts {draft.nodes} states for one forward, but its most_nodes is "
                f"{self.most_nodes}; set the class's most_nodes to the largest number of states that it drafts"
            )
        if session.needs_tree and draft.parents is None:
            raise ValueError(
                f"{type(self).__name__} drafts states that several paths lead to, but logits or picks depend on the "
                f"path (generation.cache={session.rule.settings.cache}, commit rule {session.rule.commit}); draft a "
                "tree, and give Draft its parents"
            )
        return draft

    def _state(self, session: DecodeSession, block: Block, state: Tensor, scores: Scores, step: int) -> BlockState:
        masked = (state == session.canvas.special.mask_id) & scores.predicted[0]
        return BlockState(block, state, masked, scores, step)

    def _carried(self, session: DecodeSession, block: Block, scores: Scores) -> Scores | None:
        """Return the scores of the positions behind a full block, for the next block's first draft; None if none are.

        With most caches, the next block's first forward computes one state alone.
        """
        canvas, length = session.canvas, session.rule.settings.block_length
        if not session.cache.verifies_later_blocks or block.span_stop == block.stop:
            return None
        next_stop = min(block.span_stop + length, canvas.length)
        return scores.moved(block.stop - block.start, next_stop - block.stop)

    def _until_stop(self, session: DecodeSession, block: Block, path: list[int], next_states: Tensor) -> list[int]:
        """Return the path up to the node whose picks fill a block after which decoding stops."""
        canvas, settings = session.canvas, session.rule.settings
        if settings.stop == "none" or block.span_stop == block.stop:
            return path
        for start in range(block.start, block.span_stop, settings.block_length):
            rows = slice(start - block.start, start - block.start + settings.block_length)
            full = (next_states[path, rows] != canvas.special.mask_id).all(dim=1).tolist()
            if True not in full:
                break
            place = full.index(True)
            if canvas.is_ended(start, next_states[path[place], rows], settings):
                return path[: place + 1]
        return path
