"""Window forwards at a few static shapes, so that each shape is captured once and replayed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ssd.modeling.dllm import WindowForwards
from ssd.modeling.forward_input import ForwardInput, logit_row_indices
from ssd.modeling.forwards import DelegatingModel, DiffusionModel
from ssd.modeling.growing_kv_cache import GrowingKVCache, StoredContext
from ssd.modeling.kv_buffers import KVBuffers, StaticGrowingKVCache, StaticKVCache
from ssd.modeling.kv_cache import KVCache, Window
from ssd.modeling.static_attention import PACKED_NODES, StaticAttention, static_attention_for
from ssd.modeling.transformer import Finish, Project, Transformer

STEP = 128
"""A context's capacity is a multiple of this."""

Capture = Callable[[Callable[[], Tensor]], Callable[[], Tensor]]
"""From a computation on static tensors to a function that repeats it on their current contents."""
Steps = tuple[Project, Finish]


class Shape(NamedTuple):
    """The fixed sizes of a static forward: nodes, positions of window and padding, bounds of logit rows, capacity."""

    nodes: int
    window: int
    padding: int
    logit_rows: tuple[int, int]
    capacity: int


class StaticForward:
    """A window forward of one shape. Tokens, rotations and visibility are static tensors.

    They are updated before each replay, by copies or by work of the device alone.
    """

    def __init__(
        self, transformer: Transformer, shape: Shape, attention: StaticAttention, capture: Capture, steps: Steps | None
    ) -> None:
        self._shape, self._attention, self._transformer = shape, attention, transformer
        device = transformer.embedding.weight.device
        self._tokens = torch.full((shape.nodes, shape.window), transformer.config.mask_id, device=device)
        self._rotations = self._rotations_from(0)
        self._start, self._context = 0, shape.capacity
        attention.resize(shape.capacity)
        forward_input = ForwardInput(
            self._tokens, context=attention, padding=shape.padding, logit_rows=slice(*shape.logit_rows)
        )
        indices = logit_row_indices([forward_input])
        self._replay = capture(
            lambda: transformer.through([forward_input], self._rotations, indices, steps).unflatten(
                0, (shape.nodes, -1)
            )
        )

    def __call__(self, tokens: Tensor, start: int, context: int) -> Tensor:
        """Return hidden states [nodes, logit rows, hidden_size], which the next call overwrites.

        tokens: [nodes, window], on the device; start: of the window; context: number of positions in the context.
        Nodes beyond those of `tokens` keep their old tokens, and no other node attends to them.
        """
        if start != self._start:
            for static, rotation in zip(self._rotations, self._rotations_from(start), strict=True):
                static.copy_(rotation)
        if context != self._context:
            self._attention.resize(context)
        self._start, self._context = start, context
        self._tokens[: len(tokens)] = tokens
        return self._replay()[: len(tokens)]

    def _rotations_from(self, start: int) -> tuple[Tensor, Tensor]:
        """Return every row's `Rotary.rotations` for a window that begins at `start`."""
        stop, weight = start + self._shape.window, self._transformer.embedding.weight
        positions = torch.arange(start, stop, device=weight.device).repeat(self._shape.nodes)
        return self._transformer.rotary.rotations(positions, stop, weight.dtype)


class StaticModel(WindowForwards, DelegatingModel):
    """The same weights, but window forwards with a context have one of a few shapes, captured at their first use.

    Nodes are padded to 1, 2, 4, 8, ... or `most_nodes`, contexts to a multiple of STEP. The padding is invisible.
    All caches share the buffers that the captured forwards read, so that only the latest cache is valid.
    All other forwards run eagerly. Those over a whole canvas spend their time in matrix products, not in launches, and
    padding would slow them down. Shadow windows, sliding windows and windows of several blocks have other shapes.
    Raises ValueError for fewer than 1 node, and for a forward over more states than `most_nodes`.
    """

    def __init__(
        self,
        inner: DiffusionModel,
        most_nodes: int,
        capture: Capture,
        steps: Steps | None = None,
        packed_nodes: int | None = None,
    ) -> None:
        """steps: used in place of a layer's own; packed_nodes: see `PACKED_NODES`, which None stands for."""
        if most_nodes < 1:
            raise ValueError(f"static shapes of {most_nodes} nodes: expected at least 1")
        super().__init__(inner)
        self.most_nodes = most_nodes
        self.capture_s = 0.0  # seconds spent on captures, compilation included
        self._capture, self._steps = capture, steps
        self._packed_nodes = PACKED_NODES[inner.device.type] if packed_nodes is None else packed_nodes
        self._kv_buffers = KVBuffers(self.config.layers, self.config.key_value_heads, self.config.head_size)
        self._forwards: dict[Shape, StaticForward] = {}

    @property
    def shapes(self) -> list[Shape]:
        """The shapes captured so far."""
        return list(self._forwards)

    def computed_nodes(self, nodes: int) -> int:
        if nodes > self.most_nodes:
            raise ValueError(
                f"a forward over {nodes} nodes, but static shapes allow {self.most_nodes}, the decoder's most_nodes; "
                "correct its most_nodes, or pass runtime.engine=eager"
            )
        return min(1 << (nodes - 1).bit_length(), self.most_nodes)

    def new_cache(self, window: Window) -> KVCache:
        if window.is_whole:
            return self.inner.new_cache(window)
        # Enough for every window of this size or less, so that later blocks need no new buffers.
        needed = capacity_for(window.length) + min(self.most_nodes, self._packed_nodes) * window.size
        self._make_room(needed)
        context = window.length - window.size
        self._kv_buffers.blank(context, capacity_for(context))
        return StaticKVCache(window, store=self._kv_buffers)

    def new_growing_cache(self, capacity: int) -> GrowingKVCache:
        needed = capacity_for(capacity) + min(self.most_nodes, self._packed_nodes) * (self.config.causal_block or 0)
        self._make_room(needed)
        self._kv_buffers.blank(0, needed)
        return StaticGrowingKVCache(capacity, self._kv_buffers)

    def hidden(self, forward_input: ForwardInput) -> Tensor:
        context = forward_input.context
        owner = context.cache if isinstance(context, StoredContext) else context
        if isinstance(owner, StaticKVCache | StaticGrowingKVCache):
            owner.check()
            is_window = forward_input.written is None and forward_input.stored is None
            is_run = forward_input.visible is None and forward_input.positions is None
            if isinstance(context, StaticKVCache | StoredContext) and is_window and is_run:
                forward = self._forward(forward_input, capacity_for(context.size))
                replay = partial(forward, forward_input.tokens, forward_input.start, context.size)
                forward_input = replace(forward_input, replay=replay)
        return self.inner.hidden(forward_input)

    def _make_room(self, positions: int) -> None:
        if not self._kv_buffers.fits(positions):
            self._forwards.clear()  # they refer to the old buffers, which must be freed first
            self._kv_buffers.grow(positions, self.transformer.embedding.weight)

    def _forward(self, forward_input: ForwardInput, capacity: int) -> StaticForward:
        nodes, window = self.computed_nodes(len(forward_input.tokens)), forward_input.tokens.shape[1]
        rows = forward_input.logit_rows
        first, last, _ = (rows if isinstance(rows, slice) else slice(None)).indices(window)
        shape = Shape(nodes, window, forward_input.padding, (first, last), capacity)
        if shape not in self._forwards:
            begun_s = time.perf_counter()
            self._forwards[shape] = self._captured(shape)
            self.capture_s += time.perf_counter() - begun_s
        return self._forwards[shape]

    def _captured(self, shape: Shape) -> StaticForward:
        keys, shared = shape.window - shape.padding, self.config.heads // self.config.key_value_heads
        kind = static_attention_for(shape.nodes, self._packed_nodes)
        attention = kind(self._kv_buffers.buffers, shape.capacity, shape.nodes, keys, shared * shape.window)
        return StaticForward(self.transformer, shape, attention, self._capture, self._steps)


def capacity_for(context: int) -> int:
    """Return the capacity for `context` positions: the next multiple of STEP."""
    return context + -context % STEP
