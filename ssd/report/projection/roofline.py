"""Seconds of forwards on a device: each part takes what its bytes or its FLOPs take (the roofline model).

Parts are the layers' matrices, attention and the head. Weights, keys, values and logits are bfloat16.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.modeling.config import ModelConfig
from ssd.report.projection.devices import Device
from ssd.report.projection.engines import Efficiency, Engine

Numbers = NDArray[np.float64]
ITEM = 2
"""Bytes of a bfloat16 number."""


class Forwards(NamedTuple):
    """Kinds of forwards, each field a vector with one entry per kind.

    nodes: states; rows: window length; stored: positions computed once, beside the nodes; context: cached positions
    that are attended to; logit_rows: positions of a node that get logits; per_response: number of such forwards in a
    response.
    """

    nodes: Numbers
    rows: Numbers
    stored: Numbers
    context: Numbers
    logit_rows: Numbers
    per_response: Numbers

    @classmethod
    def of(cls, *kinds: Sequence[float]) -> Forwards:
        """Return the forwards of these kinds: (nodes, rows, stored, context, logit_rows, per_response) each."""
        return cls(*np.array(kinds, dtype=float).T)


class Range(NamedTuple):
    """The least and the largest value of all readings of an engine."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Numbers) -> Range:
        return cls(float(values.min()), float(values.max()))


class Part(NamedTuple):
    """Bytes and FLOPs of a part of each forward."""

    bytes: Numbers
    flops: Numbers

    def seconds(self, device: Device, memory: float, arithmetic: float, overlaps: bool) -> Numbers:
        """Return the seconds at these shares of the device's peak rates."""
        moved, computed = self.bytes / (device.bytes_per_s * memory), self.flops / (device.flops_per_s * arithmetic)
        return np.maximum(moved, computed) if overlaps else moved + computed


def weights(shape: ModelConfig) -> tuple[int, int]:
    """Return the weights of all layers' matrices, and those of the head."""
    attention = 2 * shape.hidden_size * shape.head_size * (shape.heads + shape.key_value_heads)
    layers = shape.layers * (attention + 3 * shape.hidden_size * shape.mlp_size)
    return layers, shape.vocabulary_size * shape.hidden_size


def key_value_bytes(shape: ModelConfig) -> int:
    """Return the bytes of one position's keys and values in all layers."""
    return ITEM * 2 * shape.layers * shape.key_value_heads * shape.head_size


def forward_s(forwards: Forwards, shape: ModelConfig, device: Device, engine: Engine, batch: int = 1) -> Numbers:
    """Return seconds [readings, kinds] of one forward of each kind, which `batch` responses share."""
    return np.stack([_seconds(forwards, shape, device, engine, reading, batch) for reading in engine.readings()])


def response_s(forwards: Forwards, shape: ModelConfig, device: Device, engine: Engine, batch: int = 1) -> Numbers:
    """Return seconds [readings] of all forwards of a response: its share, where a batch makes like forwards."""
    return forward_s(forwards, shape, device, engine, batch) @ forwards.per_response / batch


def needed_bytes(forwards: Forwards, shape: ModelConfig, batch: int = 1) -> float:
    """Return the bytes of all weights and of a batch's keys and values. Activations come on top."""
    layers, head = weights(shape)
    positions = forwards.context + forwards.stored + forwards.nodes * forwards.rows
    return ITEM * (layers + head * (1 if shape.tied_head else 2)) + batch * key_value_bytes(shape) * positions.max()


def _seconds(
    forwards: Forwards, shape: ModelConfig, device: Device, engine: Engine, reading: Efficiency, batch: int
) -> Numbers:
    nodes, rows, stored, context, logit_rows, _ = forwards
    layers, head = weights(shape)
    computed = batch * (nodes * rows + stored)
    read = batch * (context * (nodes if engine.context_per_node else 1) + stored + nodes * rows)
    pairs = batch * (nodes * rows * (context + stored + rows) + stored * (context + stored))
    logits = batch * nodes * (rows if engine.scores_all_rows else logit_rows)
    matrices = Part(ITEM * layers + 0 * computed, 2 * layers * computed)
    attention = Part(key_value_bytes(shape) * read, 4 * shape.layers * shape.heads * shape.head_size * pairs)
    scored = Part(ITEM * head + logits * shape.vocabulary_size * reading.bytes_per_logit, 2 * head * logits)
    on_device = (
        matrices.seconds(device, reading.memory, reading.matrices, reading.overlaps)
        + attention.seconds(device, reading.memory, reading.attention, reading.overlaps)
        + scored.seconds(device, reading.memory, reading.matrices, reading.overlaps)
        + shape.layers * reading.kernels_s
    )
    return np.maximum(on_device, shape.layers * reading.host_s) + reading.loop_s
