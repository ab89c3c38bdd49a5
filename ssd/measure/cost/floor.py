"""The least time a forward can take on a device: its bytes over the memory's rate, or its FLOPs over the matrices'.

Counted is what no implementation avoids: every weight, key and value moves once, every product is made. Activations are
taken to stay on the chip, and the few rows of the embedding that are looked up are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ssd.measure.clock import timed
from ssd.modeling.forwards import DiffusionModel

MOST_COPIED = 2**30
"""Bytes whose copy is timed, at most. A smaller model's are matched, as its weights may stay in a cache."""


@dataclass(frozen=True)
class Rates:
    """Measured rates of a device: bytes per second of a copy (read and written), FLOPs per second of a product."""

    bytes_per_s: float
    flops_per_s: float

    @classmethod
    def measure(cls, model: DiffusionModel, repeats: int = 30) -> Rates:
        """Return the best of `repeats` copies of the weights' number of bytes, and of square products in its dtype."""
        device, dtype = model.device, model.dtype
        size = min(MOST_COPIED, weight_bytes(model)) // dtype.itemsize
        source, target = torch.ones(2, size, dtype=dtype, device=device)
        edge = 8192 if device.type == "cuda" else 512
        left, right = torch.rand(2, edge, edge, device=device).to(dtype)
        copied_s = min(timed(lambda: target.copy_(source), device)[1] for _ in range(repeats))
        product_s = min(timed(lambda: left @ right, device)[1] for _ in range(repeats))
        return cls(2 * size * dtype.itemsize / copied_s, 2 * edge**3 / product_s)


@dataclass(frozen=True)
class Work:
    """Least bytes and FLOPs of a forward over `nodes` states."""

    bytes: int
    flops: int

    @classmethod
    def of(cls, model: DiffusionModel, nodes: int, window: int, context: int, rows: int) -> Work:
        """nodes: states; window: positions recomputed in each; context: frozen positions; rows: predicted in each."""
        config, layers = model.config, model.config.layers
        key_value = 2 * config.key_value_heads * config.head_size
        moved = weight_bytes(model) + layers * key_value * (context + nodes * window) * model.dtype.itemsize
        weights = sum(weight.numel() for weight in model.transformer.layers.parameters() if weight.dim() == 2) // layers
        pair = key_value * config.hidden_size
        attention = 2 * config.heads * config.head_size * (context + window)
        # The last layer's rows that are not asked for need no more than their keys and values.
        each_node = (window * (layers - 1) + rows) * (weights + attention) + (window - rows) * pair
        return cls(moved, 2 * nodes * (each_node + rows * model.transformer.head.weight.numel()))

    def floor_s(self, rates: Rates) -> float:
        """Return the least seconds of a forward with this work."""
        return max(self.bytes / rates.bytes_per_s, self.flops / rates.flops_per_s)

    def bandwidth_utilisation(self, latency_s: float, rates: Rates) -> float:
        """Return MBU: bytes per second of a forward that took `latency_s`, as a share of the device's."""
        return self.bytes / latency_s / rates.bytes_per_s


def weight_bytes(model: DiffusionModel) -> int:
    """Return the bytes of all weights that a forward reads in full: all but the embedding's."""
    weights = sum(weight.nbytes for weight in model.transformer.parameters())
    return weights - model.transformer.embedding.weight.nbytes
