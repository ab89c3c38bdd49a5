"""The one decoding loop: refresh a block, then draft, evaluate, accept and commit until it is full."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ssd.decoding.canvas import Block, Canvas, check_prompt, commits_block_start
from ssd.decoding.draft import Draft
from ssd.decoding.rule import Ranking, SteppingRule
from ssd.decoding.scores import Scores
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Kind, Pick, Trace
from ssd.modeling.context import Context
from ssd.modeling.dllm import MaskedDiffusionModel


@dataclass(frozen=True)
class Decoded:
    """A response and how it came about."""

    response_ids: list[int]
    trace: Trace


class Decoder(ABC):
    """Anything that turns a prompt into a response and a trace. Decoders return; they do not print or time."""

    @abstractmethod
    def decode(
        self,
        model: MaskedDiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        """Decode one response of settings.gen_length tokens. Raises ValueError for a prompt that does not fit."""


@dataclass
class BlockState:
    """A block in progress, on the host: what is committed, and the scores in hand for what is not.

    state: int64 [block]; scores: of one node, for this very state or the one its last picks were read from;
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


@dataclass(frozen=True)
class Engine:
    """What stays fixed while one response is decoded: model, canvas, stepping rule."""

    model: MaskedDiffusionModel
    canvas: Canvas
    rule: SteppingRule
    runner_up: bool

    def open(self, block: Block) -> tuple[Kind, Scores, Context | None]:
        """The block's first forward: it fills the context, unless the window is the whole canvas anyway."""
        if block.window.is_whole:
            logits = self.model.window(self.canvas.tokens[None], block.refresh)
            return "decode", self.rule.score(logits, self.runner_up), None
        logits, context = self.model.refresh(self.canvas.tokens, block.refresh)
        return "refresh", self.rule.score(logits, self.runner_up), context

    def evaluate(self, states: Tensor, block: Block, context: Context | None) -> Scores:
        """One forward over block states [nodes, block], each set into the canvas' window."""
        window = block.window
        surroundings = self.canvas.tokens[window.start : window.stop].repeat(states.shape[0], 1)
        surroundings[:, block.start - window.start : block.stop - window.start] = states
        logits = self.model.window(surroundings, window, context)
        return self.rule.score(logits, self.runner_up).lead_with(block.unpredicted_rows)

    def rank(self, scores: Scores, states: Tensor, steps: Tensor, block: Block) -> Ranking:
        """Rank block states [nodes, block]; a step that commits nothing is passed over without a forward."""
        masked = states == self.canvas.special.mask_id
        unfinished = masked.any(dim=1)
        ranking = self.rule.rank(scores, masked, steps, block)
        while (idle := unfinished & (ranking.count == 0)).any():
            steps = steps + idle
            ranking = self.rule.rank(scores, masked, steps, block)
        return ranking


class BlockDecoder(Decoder):
    """Semi-autoregressive decoding. A subclass says which states to evaluate and which of them to believe."""

    runner_up = False
    """Whether drafts look at second-best tokens."""

    def draft(self, engine: Engine, hand: BlockState) -> Draft:
        """The states to evaluate next; the state in hand alone unless overridden."""
        return Draft.of_state(hand.state, hand.step)

    def accept(self, draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
        """The path of believed nodes from node 0 on; the last one's own picks are the bonus."""
        return [0]

    @torch.inference_mode()
    def decode(
        self,
        model: MaskedDiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        check_prompt(prompt_ids, settings, special, model.config)
        canvas = Canvas(prompt_ids, settings, special)
        shift = model.config.logits_shift
        rule = SteppingRule(settings, special, prompt_ids, first_row_first=commits_block_start(settings, shift))
        engine = Engine(model, canvas, rule, self.runner_up)
        trace = Trace()
        for block in canvas.blocks(settings, shift):
            self._decode_block(engine, block, trace)
            if settings.stop == "eos_block" and canvas.is_ended(block):
                trace.filled = canvas.fill_after(block)
                break
        return Decoded(canvas.response.tolist(), trace)

    def _decode_block(self, engine: Engine, block: Block, trace: Trace) -> None:
        canvas = engine.canvas
        kind, scores, context = engine.open(block)
        draft = Draft.of_state(canvas.tokens[block.start : block.stop], 0)
        rows = canvas.length
        while True:
            ranking = engine.rank(scores, draft.states, draft.steps, block)
            next_states = ranking.apply(draft.states, scores.token)
            path = self.accept(draft, next_states, ranking.step + 1)
            trace.events.append(_event(kind, block, rows, draft, path, ranking, scores, canvas.prompt_length))
            last = path[-1]
            state = next_states[last]
            masked = state == canvas.special.mask_id
            if not masked.any():
                canvas.tokens[block.start : block.stop] = state
                return
            hand = BlockState(block, state, masked, scores.node(last), int(ranking.step[last]) + 1)
            draft = self.draft(engine, hand)
            kind = "decode" if draft.nodes == 1 else "verify"
            rows = block.window.size
            scores = engine.evaluate(draft.states, block, context)


def _event(
    kind: Kind, block: Block, rows: int, draft: Draft, path: list[int], ranking: Ranking, scores: Scores, origin: int
) -> Event:
    """The event of one forward; positions count from the response's start, at canvas position `origin`."""
    picks = []
    for node in path:
        rows_picked = ranking.rows(node)
        tokens, confidences = scores.token[node, rows_picked].tolist(), scores.confidence[node, rows_picked].tolist()
        first = block.start - origin
        picks += [Pick(first + row, *pick) for row, *pick in zip(rows_picked, tokens, confidences, strict=True)]
    drafted = draft.drafted
    accepted = tuple(int(depth < len(path)) for depth in range(1, len(drafted) + 1))
    return Event(kind, block.index, int(ranking.step[0]), draft.nodes, rows, tuple(picks), drafted, accepted)
