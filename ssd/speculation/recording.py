"""Recorded trajectories: the states of stepwise decoding at which a decoder could draft, with their forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from torch import Tensor

from ssd.decoding.block_decoder import BlockDecoder, BlockState
from ssd.decoding.draft import Draft
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Trace
from ssd.modeling.forwards import DiffusionModel
from ssd.speculation.candidate import Fill
from ssd.speculation.forecast import Forecast
from ssd.speculation.pick_model import PickModel


class RecordedState(NamedTuple):
    """A state of a block, and the forecast from its logits.

    before: the state that these logits are of, without the last step's picks.
    """

    block: int
    before: list[int]
    state: list[int]
    step: int
    forecast: Forecast


class Trajectory(NamedTuple):
    """One response of stepwise decoding: the recorded states of every block, its trace, and its number of tokens.

    tokens: up to where decoding stopped; needs_tree: whether equal states on different paths are different nodes.
    """

    blocks: list[list[RecordedState]]
    trace: Trace
    tokens: int
    needs_tree: bool


class StateRecorder(BlockDecoder):
    """Stepwise decoding that records every state at which a speculative decoder could draft."""

    runner_up = True

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.stands: list[RecordedState] = []
        self.needs_tree = False
        self._before: list[int] = []

    def draft(self, session: DecodeSession, current: BlockState) -> Draft:
        forecast = Forecast(session, current, self.depth, PickModel())
        state = current.state.tolist()
        self.stands.append(RecordedState(current.block.index, self._before, state, current.step, forecast))
        self.needs_tree = session.needs_tree
        return super().draft(session, current)

    def accept(self, session: DecodeSession, draft: Draft, next_states: Tensor, next_steps: Tensor) -> list[int]:
        self._before = draft.states[0].tolist()
        return super().accept(session, draft, next_states, next_steps)


def record_trajectory(
    model: DiffusionModel,
    prompt_ids: Sequence[int],
    settings: GenerationSettings,
    special: SpecialTokens,
    depth: int,
) -> Trajectory:
    """Decode one response stepwise; return its states. Forecasts reach at least `depth` steps ahead."""
    recorder = StateRecorder(depth)
    decoded = recorder.decode(model, prompt_ids, settings, special)
    blocks = [list(stands) for _, stands in groupby(recorder.stands, attrgetter("block"))]
    return Trajectory(blocks, decoded.trace, len(decoded.response_ids) - decoded.trace.filled, recorder.needs_tree)


def picks_between(before: Sequence[int], after: Sequence[int]) -> frozenset[Fill]:
    """Return the picks that lead from one state of a block to a later one."""
    return frozenset(Fill(row, new) for row, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)
