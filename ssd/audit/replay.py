"""Evaluate one state of a finished response again, alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.draft import Draft
from ssd.decoding.rule import SteppingRule
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Trace
from ssd.measure.instrumentation import LogitsRecorder
from ssd.modeling.forwards import DiffusionModel


@dataclass(frozen=True)
class Replay:
    """A state of the reference, before the forward that led to one of its picks, evaluated again in one row.

    logits, perturbed: float64 [block, vocabulary], plain (with credit, if the commit rule gives any) and as tokens are
    chosen by them, with the noise that sampling adds and -inf for tokens that cannot be; scores: [1, block];
    masked: bool [1, block]; picks: (position in the response, token) of all that the stepping rule commits there.
    """

    logits: Tensor
    perturbed: Tensor
    scores: Scores
    masked: Tensor
    block: Block
    rule: SteppingRule
    picks: frozenset[tuple[int, int]]


@torch.inference_mode()
def replay(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    commit: CommitRule | None,
    prompt_ids: Sequence[int],
    trace: Trace,
    pick: int,
) -> Replay:
    """Return the state before the stepwise forward that committed the pick with this ordinal.

    A cache or a commit rule may depend on the path to the state. Its earlier states are then evaluated before it.
    """
    index = forward_of(trace.events, pick)
    canvas = Canvas(prompt_ids, settings, special)
    events = [event for event in trace.events[: index + 1] if event.picks]
    recorder = LogitsRecorder(model)
    session = DecodeSession.start(recorder, canvas, prompt_ids, settings, commit)
    remembers = session.rule.memory_spans_blocks
    blocks = list(canvas.blocks(settings, model.config.logits_shift))
    blocks = [each.with_later_rows() for each in blocks] if remembers else blocks
    block, origin = blocks[trace.events[index].block], canvas.prompt_length
    for earlier in blocks[: block.index]:
        inside = [event for event in events if event.block == earlier.index]
        if session.cache.spans_blocks or (remembers and earlier is blocks[block.index - 1]):
            _replay_block(session, earlier, inside if session.needs_tree else inside[:1])
        for made in (made for event in inside for made in event.picks):
            canvas.tokens[made.position + origin] = made.token
    inside = [event for event in events if event.block == block.index]
    draft, scores, first_position = _replay_block(session, block, inside)
    leading = first_position - block.start
    after = block.stop - first_position - recorder.last_logits.shape[1]
    masked = draft.states == special.mask_id
    both = session.rule.perturbed(recorder.last_logits, masked, scores, block, first_position)
    logits, perturbed = (F.pad(values[0].cpu(), (0, 0, leading, after)) for values in both)
    rows = session.rank(scores, draft, block).rows(0)
    positions = [row + block.start - origin for row in rows]
    committed = frozenset(zip(positions, scores.token[0, rows].tolist(), strict=True))
    return Replay(logits, perturbed, scores, masked, block, session.rule, committed)


def _replay_block(session: DecodeSession, block: Block, events: Sequence[Event]) -> tuple[Draft, Scores, int]:
    """Run the forward of the last event, and before it the block's first and those that decide what it reads.

    events: the block's, one per forward. Returns the state alone, its scores, and the position of the first logits.
    """
    canvas, policy = session.canvas, session.cache
    draft = Draft.of_state(canvas.tokens[block.start : block.stop].clone(), 0)
    opening, scores = session.open(draft, block)
    policy.adopt([0])
    first_position = opening.first_position
    for before, event in pairwise(events):
        draft = Draft.of_state(draft.states[0], event.step)
        for made in before.picks:
            draft.states[0, made.position + canvas.prompt_length - block.start] = made.token
        if event is events[-1] or session.needs_tree or not policy.is_settled:
            forward, scores = session.evaluate(draft, block, opening.context, scores)
            policy.adopt([0])
            first_position = forward.first_position
    session.rule.end_block(scores)
    return draft, scores, first_position


def forward_of(events: Sequence[Event], pick: int) -> int:
    """Return the index of the event that committed the pick with this ordinal. Raises IndexError if there is none."""
    seen = 0
    for index, event in enumerate(events):
        seen += len(event.picks)
        if pick < seen:
            return index
    raise IndexError(f"pick {pick}: the trace has only {seen}")
