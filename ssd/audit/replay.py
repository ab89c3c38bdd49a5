"""Evaluate one state of a finished response again, alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from ssd.decoding.trace import Event, Pick, Trace
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

    A commit rule with memory reads the block's earlier states, too, so they are evaluated before it.
    """
    index = forward_of(trace.events, pick)
    canvas = Canvas(prompt_ids, settings, special)
    block = list(canvas.blocks(settings, model.config.logits_shift))[trace.events[index].block]
    origin, steps = canvas.prompt_length, list[tuple[Pick, ...]]()
    for event in trace.events[:index]:
        if event.block == block.index:
            steps.append(event.picks)
        for made in () if event.block == block.index else event.picks:
            canvas.tokens[made.position + origin] = made.token
    recorder = LogitsRecorder(model)
    session = DecodeSession.start(recorder, canvas, prompt_ids, settings, commit)
    draft = Draft.of_state(canvas.tokens[block.start : block.stop].clone(), 0)
    opening, scores = session.open(draft, block)
    first_position = opening.first_position
    if not session.rule.has_memory:
        steps = [tuple(made for picks in steps for made in picks)]
    for picks in filter(None, steps):
        for made in picks:
            draft.states[0, made.position + origin - block.start] = made.token
        draft = Draft.of_state(draft.states[0], trace.events[index].step)
        scores = session.evaluate(draft, block, opening.context, scores)
        first_position = block.window.first_row
    leading = first_position - block.start
    after = block.stop - first_position - recorder.last_logits.shape[1]
    masked = draft.states == special.mask_id
    both = session.rule.perturbed(recorder.last_logits, masked, scores, block, first_position)
    logits, perturbed = (F.pad(values[0].cpu(), (0, 0, leading, after)) for values in both)
    rows = session.rank(scores, draft, block).rows(0)
    positions = [row + block.start - origin for row in rows]
    committed = frozenset(zip(positions, scores.token[0, rows].tolist(), strict=True))
    return Replay(logits, perturbed, scores, masked, block, session.rule, committed)


def forward_of(events: Sequence[Event], pick: int) -> int:
    """Return the index of the event that committed the pick with this ordinal. Raises IndexError if there is none."""
    seen = 0
    for index, event in enumerate(events):
        seen += len(event.picks)
        if pick < seen:
            return index
    raise IndexError(f"pick {pick}: the trace has only {seen}")
