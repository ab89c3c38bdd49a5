"""Costs of a run's forwards: measured over a grid of shapes, and summed over a trace to predict a response's time."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Trace
from ssd.measure.cost.forwards import Shape, block_of, time_forwards
from ssd.modeling.forwards import DiffusionModel

Table = list[list[list[list[float]]]]
"""Seconds [reaches][lengths][blocks][nodes]."""


def node_grid(most_nodes: int) -> list[int]:
    """Return 1, 2, 4, 8, ... and `most_nodes` itself."""
    return sorted({1 << power for power in range(most_nodes.bit_length())} | {most_nodes})


def block_grid(settings: GenerationSettings) -> list[int]:
    """Return the first, middle and last block; the first alone where all blocks' forwards are alike."""
    if settings.options.windows == "suffix" or settings.grid == "absolute":
        return sorted({0, least_blocks(settings) // 2, least_blocks(settings) - 1})
    return [0]


def least_blocks(settings: GenerationSettings) -> int:
    """Return the number of blocks that every response has, whatever its prompt's length."""
    return -(-settings.gen_length // settings.block_length)


def nodes_made(decoder: Decoder, settings: GenerationSettings, model: DiffusionModel) -> list[int]:
    """Return the numbers of nodes to time for a decoder.

    With an exact cache rows count: those of later blocks that drafts reach into, and those of a full block that is
    stored beside the nodes. A model with padded nodes allows the decoder's own number only.
    """
    most = decoder.most_nodes
    if settings.cache == "exact":
        with suppress(ValueError):
            most = model.computed_nodes(most * (1 + decoder.lookahead(settings)) + 1)
    return node_grid(most)


def reaches_made(decoder: Decoder, settings: GenerationSettings) -> list[int]:
    """Return the numbers of later blocks to time that a decoder's forwards get logits of.

    A commit rule whose memory spans blocks needs those of all later blocks. An exact cache counts their rows as nodes.
    Where blocks differ, only the windows of stepwise decoding are timed.
    """
    if len(block_grid(settings)) > 1:
        return [0]
    remembers = (
        isinstance(decoder, BlockDecoder) and decoder.commit is not None and decoder.commit.spans_blocks(settings)
    )
    later = least_blocks(settings) - 1
    return sorted({0, later if remembers else min(decoder.lookahead(settings), later)})


@dataclass(frozen=True)
class CostModel:
    """Median seconds of forwards at the points of a grid, and linear along each axis between them.

    Axes, ascending: reaches (later blocks that get logits), lengths (positions of a canvas, prompt included), blocks,
    nodes (where these are padded, all). window_s: [reaches][lengths][blocks][nodes]; first_s: the same of a block's
    first forward, with one number of nodes; rounds: how often every shape was timed.
    """

    settings: GenerationSettings
    logits_shift: int
    reaches: list[int]
    lengths: list[int]
    blocks: list[int]
    nodes: list[int]
    first_s: Table
    window_s: Table
    rounds: int

    @classmethod
    def measure(
        cls,
        model: DiffusionModel,
        settings: GenerationSettings,
        special: SpecialTokens,
        prompt_lengths: Sequence[int],
        nodes: Sequence[int],
        budget_s: float = 4.0,
        most_rounds: int = 50,
        reaches: Sequence[int] = (0,),
    ) -> CostModel:
        """Time first forwards and windows of `nodes` states behind the shortest and longest of the prompts.

        prompt_lengths: in tokens; budget_s, most_rounds: bounds of how often a shape is timed; reaches: numbers of
        later blocks that also get logits. See `time_forwards`.
        """
        lengths = sorted(settings.gen_length + length for length in {min(prompt_lengths), max(prompt_lengths)})
        blocks, every = block_grid(settings), range(1, max(nodes))
        # Where nodes are padded, costs between two measured counts are not linear.
        padded = any(model.computed_nodes(count) != count for count in every)
        nodes = sorted({*nodes, *every} if padded else set(nodes))
        made = sorted({model.computed_nodes(count) for count in nodes})
        measured = time_forwards(model, settings, special, lengths, blocks, made, reaches, budget_s, most_rounds)
        median = {shape: statistics.median(seconds) for shape, seconds in measured.items()}

        def table(counts: Sequence[int]) -> Table:
            """Return seconds [reaches][lengths][blocks][counts]."""
            cells = product(reaches, lengths, blocks, counts)
            seconds = [median[Shape(count, block, length, reach)] for reach, length, block, count in cells]
            return np.reshape(seconds, (len(reaches), len(lengths), len(blocks), len(counts))).tolist()

        return cls(
            settings=settings,
            logits_shift=model.config.logits_shift,
            reaches=list(reaches),
            lengths=lengths,
            blocks=blocks,
            nodes=nodes,
            first_s=table([0]),
            window_s=table([model.computed_nodes(count) for count in nodes]),
            rounds=min(map(len, measured.values())),
        )

    def forward_s(self, shape: Shape) -> float:
        """Return the seconds of one forward. Raises ValueError outside the grid."""
        _check("length", shape.length, self.lengths)
        if not 0 <= shape.block < self.settings.blocks:
            raise ValueError(f"block {shape.block}: expected one of the response's {self.settings.blocks}")
        if shape.nodes:
            _check("nodes", shape.nodes, self.nodes)
        seconds, nodes = (self._arrays[1], self.nodes) if shape.nodes else (self._arrays[0], [0])
        for value, axis in (
            (shape.nodes, nodes),
            (shape.block, self.blocks),
            (shape.length, self.lengths),
            (shape.reach, self.reaches),
        ):
            seconds = seconds @ _weights(value, axis)
        return float(seconds)

    @cached_property
    def _arrays(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.first_s), np.array(self.window_s)

    def seconds(self, trace: Trace, length: int) -> float | None:
        """Return the predicted seconds of all forwards of a response on a canvas of `length` positions.

        None for a trace with forwards of an autoregressive verifier, or whose numbers of rows are not those of a timed
        shape: APD's windows slide, WINO's carry shadows, and logits of later blocks may not be timed.
        Raises ValueError outside the grid, as `forward_s`.
        """
        if any(event.kind == "verifier" for event in trace.events):
            return None
        shape_of = self._by_rows if self.settings.cache == "exact" else self._shape
        shapes = Counter(shape_of(event, length) for event in trace.events)
        if None in shapes:
            return None
        return sum(count * self._seconds(shape) for shape, count in shapes.items() if shape)

    def _seconds(self, shape: Shape) -> float:
        """Return the seconds of one forward; over an exact cache, more rows than were timed cost in proportion."""
        timed = min(shape.nodes, self.nodes[-1]) if self.settings.cache == "exact" else shape.nodes
        return self.forward_s(shape._replace(nodes=timed)) * (shape.nodes / timed if timed else 1)

    def _by_rows(self, event: Event, length: int) -> Shape:
        """Return the shape of a forward over an exact cache, by its rows. The one that stores the prompt is apart."""
        if event.stored and not event.block:
            return Shape(0, event.block, length)
        blocks = (event.nodes * event.rows + event.stored) / self.settings.block_length
        return Shape(max(blocks, 1.0), event.block, length)

    def _shape(self, event: Event, length: int) -> Shape | None:
        """Return the shape of a forward; None if its rows are not those of a timed one."""
        is_refresh, block_length = event.kind == "refresh", self.settings.block_length
        own = block_of(self.settings, self.logits_shift, event.block, length)
        longer = event.rows - (length if is_refresh else own.window.size)
        further = event.logit_rows - (own.refresh if is_refresh else own.window).rows
        if longer not in (0, further) or not 0 <= further <= self.reaches[-1] * block_length:
            return None
        return Shape(0 if is_refresh else event.nodes, event.block, length, further / block_length)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> CostModel:
        """Return the cost model that `to_json` wrote."""
        return cls(**{**stored, "settings": GenerationSettings(**stored["settings"])})


def _weights(value: float, axis: Sequence[int]) -> np.ndarray:
    """Return the weight of each point of an axis in linear interpolation; beyond the last, the line goes on.

    Where prompts share their first block, some responses have one block more than others.
    """
    weights = np.zeros(len(axis))
    right = min(max(bisect_left(axis, value), 1), len(axis) - 1)
    if right:
        share = (value - axis[right - 1]) / (axis[right] - axis[right - 1])
        weights[right - 1 : right + 1] = 1 - share, share
    else:
        weights[0] = 1
    return weights


def _check(name: str, value: float, axis: Sequence[int]) -> None:
    if not axis[0] <= value <= axis[-1]:
        raise ValueError(
            f"a forward with {name}={value} lies outside the cost model, which was measured from {axis[0]} to "
            f"{axis[-1]}; measure it for this run, or raise the decoder's most_nodes if it computes more states"
        )
