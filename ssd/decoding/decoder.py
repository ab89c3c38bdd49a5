"""What a decoder is, and the one decoding loop: refresh a block, then draft, evaluate, accept and commit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ssd.decoding.canvas import Block, Canvas, check_prompt
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.draft import Draft
from ssd.decoding.drafted import DraftRecord
from ssd.decoding.record import ForwardRecord
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.decoding.trace import Trace
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel


@dataclass(frozen=True)
class Decoded:
    """A response and how it came about."""

    response_ids: list[int]
    trace: Trace


class Decoder(ABC):
    """Anything that turns a prompt into a response and a trace. Decoders return; they do not print or time."""

    in_block_order = True
    """Whether picks are only ever made in the leftmost unfinished block."""
    needs_verifier = False
    """Whether `load` brings a second model."""
    needs_timing = False
    """Whether `load` measures what forwards cost, and drafts depend on it."""
    verifier: nn.Module | None = None
    """A second model that the decoder asks; its forwards are counted and timed apart."""

    @abstractmethod
    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        """Decode one response of settings.gen_length tokens. Raises ValueError for a prompt that does not fit."""

    @property
    def most_nodes(self) -> int:
        """The most states that a window forward of this decoder ever evaluates at once."""
        return 1

    @property
    def reference(self) -> BlockDecoder | None:
        """What this decoder is compared with; None: stepwise decoding."""
        return None

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:  # noqa: B027
        """Raise ValueError, before any weight is loaded, for settings or a model that this decoder cannot take."""

    def caveat(self, settings: GenerationSettings) -> str | None:
        """Why these options and settings make a decoder lossy that is lossless otherwise; None if they do not."""
        return None

    def resolved(self) -> dict[str, Any]:
        """Options that can be left to the decoder, as it takes them, so that equal runs have equal ids."""
        return {}

    def files(self) -> list[Path]:
        """The files, beside the model's, that the decoder's results depend on."""
        return []

    def load(  # noqa: B027
        self, model: DiffusionModel, folder: Path, settings: GenerationSettings, work: Workload
    ) -> None:
        """Load what the decoder needs beside the model, which came from `folder`; called once, before decoding."""

    @property
    def most_steps(self) -> int | None:
        """Steps of the reference that one forward can make if every draft is right; None: this decoder drafts none."""
        return None

    def measured(self) -> dict[str, Any]:
        """What `load` measured and decoding depends on, as plain data to be stored with the run."""
        return {}

    def restore(self, measured: dict[str, Any]) -> None:  # noqa: B027
        """Take what the run measured when it began, in place of measuring anew; called before `load`."""


@dataclass
class BlockState:
    """A block in progress, on the host: what is committed, and the current scores for what is not.

    state, masked: [span]; scores: of one node, for this very state or the one its last picks were read from;
    step: the step that the next picks belong to.
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
    """Semi-autoregressive decoding. A subclass says which states to evaluate and which of them to believe."""

    commit: CommitRule | None = None
    """Says how many picks a step commits; None: the schedule."""
    runner_up = False
    """Whether drafts look at second-best tokens."""

    def new_draft_state(self) -> Any:
        """What `draft` and `accept` find in `session.draft_state`: a new one for every response."""
        return None

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        """The states to evaluate next; the current state alone unless overridden."""
        return Draft.of_state(current.state, current.step)

    def accept(self, session: DecodeSession, draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
        """The path of believed nodes from node 0 on; the last one's own picks are the bonus.

        next_states: int64 [nodes, span], next_steps: int64 [nodes]: where each node's own scores lead it.
        """
        return [0]

    def lookahead(self, settings: GenerationSettings) -> int:
        """How many blocks after the current one drafts may reach into."""
        return 0

    @torch.inference_mode()
    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        check_prompt(prompt_ids, settings, special, model.config)
        canvas = Canvas(prompt_ids, settings, special)
        session = DecodeSession.start(
            model, canvas, prompt_ids, settings, self.commit, self.runner_up, self.new_draft_state()
        )
        trace = Trace()
        step = 0
        for block in canvas.blocks(settings, model.config.logits_shift, self.lookahead(settings)):
            if (canvas.tokens[block.start : block.stop] == special.mask_id).any():
                step = self._decode_block(session, block, trace, step)
            step = max(0, step - session.rule.steps_per_block)
            if settings.stop == "eos_block" and canvas.is_ended(block):
                trace.filled = canvas.fill_after(block)
                break
        return Decoded(canvas.response.tolist(), trace)

    def _decode_block(self, session: DecodeSession, block: Block, trace: Trace, step: int) -> int:
        """Fill the block from `step` on; returns the step at which it was full."""
        canvas = session.canvas
        first = block.start - canvas.prompt_length
        draft = Draft.of_state(canvas.tokens[block.start : block.span_stop].clone(), step)
        kind, scores, context = session.open(draft, block)
        rows, current = canvas.length, None
        # The other rankings' confidence is a position's, whichever of its tokens is drafted.
        by_token = session.runner_up and session.rule.settings.ranking not in ("topk_margin", "entropy")
        while True:
            ranking = session.rank(scores, draft, block)
            next_states = ranking.apply(draft.states, scores.token)
            path = self.accept(session, draft, next_states, ranking.next_step)
            if current is not None and draft.nodes > 1:
                trace.drafts[trace.forwards] = DraftRecord.of(draft, path, first, current.scores, by_token)
            last = path[-1]
            state = next_states[last]
            left = ForwardRecord(kind, block.index, rows, first, draft, path, ranking, state, scores.confidence)
            if torch.equal(state, draft.states[0]):  # commitments are what bounds this loop
                raise RuntimeError(f"{type(self).__name__} spent a forward that committed nothing, at {left.event()}")
            trace.note(left.event)
            masked = state == canvas.special.mask_id
            if not masked[: block.stop - block.start].any():
                canvas.tokens[block.start : block.span_stop] = state
                return int(ranking.next_step[last])
            current = BlockState(block, state, masked, scores.node(last), int(ranking.next_step[last]))
            draft = self.draft(session, current)
            kind = "decode" if draft.nodes == 1 else "verify"
            rows = block.window.size
            scores = session.evaluate(draft, block, context)
