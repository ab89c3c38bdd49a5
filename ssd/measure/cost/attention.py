"""Time attention beside a context in one forward of all layers, in each of its implementations."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ssd.measure import clock
from ssd.modeling.attention import attend, attend_joint
from ssd.modeling.cuda_graphs import CudaGraphs, as_it_is
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.fused_attention import attend_split, has_fused
from ssd.modeling.static_attention import PackedAttention, SplitAttention, StaticAttention
from ssd.modeling.static_shapes import capacity_for

REPEATS = 15


@torch.inference_mode()
def attention_rows(
    model: DiffusionModel, window: int, context: int, nodes: Sequence[int], repeats: int = REPEATS
) -> list[dict[str, Any]]:
    """Return milliseconds for every number of nodes, of eager and of static attention.

    On CUDA all are captured, so that kernels are timed without their launches. Every layer has its own context, as in
    a model: together they exceed the processor's caches. None: the device has no such kernel for the dtype.
    """
    config, weight = model.config, model.transformer.embedding.weight
    groups, size = config.key_value_heads, config.head_size
    capture = CudaGraphs(model.device) if model.device.type == "cuda" else as_it_is
    room_for, shared = capacity_for(context) + max(nodes) * window, config.heads // groups

    def drawn(*shape: int) -> tuple[Tensor, Tensor]:
        first, second = torch.randn(2, *shape, device=weight.device).to(weight.dtype)
        return first, second

    rooms = [drawn(groups, room_for, size) for _ in range(config.layers)]
    contexts = [(key[:, :context], value[:, :context]) for key, value in rooms]
    tails = [(key[:, : context + window], value[:, : context + window]) for key, value in rooms]

    def ways(query: Tensor, key: Tensor, value: Tensor) -> dict[str, Callable[[int], Tensor]]:
        given = (query, key, value)
        found: dict[str, Callable[[int], Tensor]] = {
            "eager": lambda layer: attend(*given, contexts[layer], tails[layer]),
            "at_once": lambda layer: attend_joint(*given, *contexts[layer]),
        }
        if has_fused(weight, size):
            found["in_parts"] = lambda layer: attend_split(*given, *contexts[layer])
        for name, kind in (("static_packed", PackedAttention), ("static_in_parts", SplitAttention)):
            if kind is PackedAttention or has_fused(weight, size):
                layout = kind(rooms, capacity_for(context), len(query), window, shared * window)
                layout.resize(context)
                found[name] = partial(_attend_static, layout, given)
        return found

    rows = []
    for count in nodes:
        query = torch.randn(count, config.heads, window, size, device=weight.device).to(weight.dtype)
        row: dict[str, Any] = {"nodes": count, "in_parts": None, "static_in_parts": None}
        for name, way in ways(query, *drawn(count, groups, window, size)).items():
            replay = capture(partial(_last_layer, way, config.layers))
            seconds = [clock.timed(replay, model.device)[1] for _ in range(repeats)]
            row[name] = statistics.median(seconds) * 1e3
        rows.append(row)
    return rows


def _attend_static(layout: StaticAttention, given: tuple[Tensor, Tensor, Tensor], layer: int) -> Tensor:
    return layout.attend(layer, *given, None)


def _last_layer(way: Callable[[int], Tensor], layers: int) -> Tensor:
    """Return the last layer's output, after all layers."""
    return [way(layer) for layer in range(layers)][-1]
