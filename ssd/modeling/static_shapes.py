"""Window forwards at a few static shapes, so that each of them can be captured once and replayed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import ForwardInput, logit_row_indices
from ssd.modeling.kv_buffers import KVBuffers, StaticKVCache
from ssd.modeling.kv_cache import KVCache, Window
from ssd.modeling.static_attention import PACKED_NODES, StaticAttention, static_attention_for
from ssd.modeling.transformer import Finish, Project, Transformer

STEP = 128
"""A context's capacity is a multiple of this."""

Capture = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""From a computation on static tensors to what repeats it on whatever these tensors then hold."""
Steps = tuple[Project, Finish]


class Shape(NamedTuple):
    """What is fixed in a static forward: nodes, positions of window and padding, wanted rows, the capacity."""

    nodes: int
    window: int
    padding: int
    wanted: tuple[int, int]
    capacity: int


class StaticForward:
    """A window forward of one shape. Tokens, rotation and who sees what lie in static tensors.

    They are written to before it is replayed, by a copy or by work that the device can do alone.
    """

    def __init__(
        self, transformer: Transformer, shape: Shape, layout: StaticAttention, capture: Capture, steps: Steps | None
    ) -> None:
        self._shape, self._layout, self._transformer = shape, layout, transformer
        device = transformer.embedding.weight.device
        self._tokens = torch.full((shape.nodes, shape.window), transformer.config.mask_id, device=device)
        self._turns = self._turns_from(0)
        self._start, self._context = 0, shape.capacity
        layout.resize(shape.capacity)
        part = ForwardInput(self._tokens, context=layout, padding=shape.padding, wanted=slice(*shape.wanted))
        wanted = logit_row_indices([part])
        self._replay = capture(
            lambda: transformer.through([part], self._turns, wanted, steps).unflatten(0, (shape.nodes, -1))
        )

    def __call__(self, tokens: Tensor, start: int, context: int) -> Tensor:
        """Hidden states [asked, wanted, hidden_size] of tokens [asked, window] on the device, until the next call.

        start: of the window; context: how many positions the context fills. Nodes beyond those asked for hold what they
        held before, and no other sees them.
        """
        if start != self._start:
            for static, turned in zip(self._turns, self._turns_from(start), strict=True):
                static.copy_(turned)
        if context != self._context:
            self._layout.resize(context)
        self._start, self._context = start, context
        self._tokens[: len(tokens)] = tokens
        return self._replay()[: len(tokens)]

    def _turns_from(self, start: int) -> tuple[Tensor, Tensor]:
        """Every row's `Rotary.turns` if the window begins at `start`."""
        stop, weight = start + self._shape.window, self._transformer.embedding.weight
        positions = torch.arange(start, stop, device=weight.device).repeat(self._shape.nodes)
        return self._transformer.rotary.turns(positions, stop, weight.dtype)


class StaticModel(MaskedDiffusionModel):
    """The same weights; window forwards beside a context have one of a few shapes, each captured when first needed.

    Nodes are padded to 1, 2, 4, 8, ... or `most_nodes`, contexts to a multiple of STEP; nobody sees the padding.
    A refresh freezes its context where the captured forwards read it, so that only the latest one's is there.
    All other forwards are made eagerly: those over a whole canvas (a refresh, or any without a cache) are bound by
    products, which take longer than launching them, and would be slowed down by padding; shadows and sliding windows
    have other shapes. Raises ValueError for fewer nodes than 1, and for a forward of more states than `most_nodes`.
    """

    def __init__(
        self,
        model: MaskedDiffusionModel,
        most_nodes: int,
        capture: Capture,
        steps: Steps | None = None,
        packed_nodes: int | None = None,
    ) -> None:
        """steps: in place of a layer's own; packed_nodes: up to so many share one attention (None: PACKED_NODES)."""
        if most_nodes < 1:
            raise ValueError(f"static shapes of {most_nodes} nodes: expected at least 1")
        self.transformer, self.config, self.most_nodes = model.transformer, model.config, most_nodes
        self.capture_s = 0.0  # seconds spent on captures, compilation included
        self._capture, self._steps = capture, steps
        self._packed_nodes = PACKED_NODES[model.device.type] if packed_nodes is None else packed_nodes
        self._rooms = KVBuffers(self.config.layers, self.config.key_value_heads, self.config.head_size)
        self._forwards: dict[Shape, StaticForward] = {}

    @property
    def shapes(self) -> list[Shape]:
        """What has been captured so far."""
        return list(self._forwards)

    def computed_nodes(self, nodes: int) -> int:
        if nodes > self.most_nodes:
            raise ValueError(
                f"a forward over {nodes} nodes, but static shapes hold {self.most_nodes}, the decoder's most; mend its "
                "most_nodes, or pass runtime.engine=eager"
            )
        return min(1 << (nodes - 1).bit_length(), self.most_nodes)

    def _context(self, window: Window) -> KVCache:
        if window.is_whole:
            return KVCache(window)
        like = self.transformer.embedding.weight
        # Any window of this canvas is to fit that is no larger, so that later blocks move nothing.
        needed = capacity_for(window.length) + min(self.most_nodes, self._packed_nodes) * window.size
        if not self._rooms.hold(needed):
            self._forwards.clear()  # which hold the old ones, before as much again is asked for
            self._rooms.grow(needed, like)
        context = window.length - window.size
        self._rooms.blank(context, capacity_for(context))
        return StaticKVCache(window, store=self._rooms)

    def _hidden(self, part: ForwardInput) -> Tensor:
        context = part.context
        if isinstance(context, StaticKVCache):
            context.check()
            if part.visible is None:
                forward = self._forward(part, capacity_for(context.size))
                part = replace(part, replay=partial(forward, part.tokens, part.start, context.size))
        return super()._hidden(part)

    def _forward(self, part: ForwardInput, capacity: int) -> StaticForward:
        nodes, window = self.computed_nodes(len(part.tokens)), part.tokens.shape[1]
        first, last, _ = (part.wanted or slice(None)).indices(window)
        shape = Shape(nodes, window, part.padding, (first, last), capacity)
        if shape not in self._forwards:
            begun_s = time.perf_counter()
            self._forwards[shape] = self._captured(shape)
            self.capture_s += time.perf_counter() - begun_s
        return self._forwards[shape]

    def _captured(self, shape: Shape) -> StaticForward:
        keys, shared = shape.window - shape.padding, self.config.heads // self.config.key_value_heads
        kind = static_attention_for(shape.nodes, self._packed_nodes)
        layout = kind(self._rooms.buffers, shape.capacity, shape.nodes, keys, shared * shape.window)
        return StaticForward(self.transformer, shape, layout, self._capture, self._steps)


def capacity_for(context: int) -> int:
    """Room for so many positions: the next multiple of STEP."""
    return context + -context % STEP
