"""What attention beside a context takes in one forward of all layers, by each of the ways that there are."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ssd.measure import clock
from ssd.modeling.attention import attend, attend_joint
from ssd.modeling.cuda_graphs import CudaGraphs, as_it_is
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.fused_attention import attend_split, has_fused
from ssd.modeling.static_attention import PackedAttention, SplitAttention
from ssd.modeling.static_shapes import capacity_for

REPEATS = 15


@torch.inference_mode()
def attention_rows(
    model: DiffusionModel, window: int, context: int, nodes: Sequence[int], repeats: int = REPEATS
) -> list[dict[str, Any]]:
    """Milliseconds for every number of nodes: of eager attention, and of the static layouts.

    On CUDA all are captured, so that kernels are timed and not their launching. Every layer has a context of its own,
    as in a model, whose contexts no cache holds. None: the device has no such kernel for the dtype.
    """
    config, weight = model.config, model.transformer.embedding.weight
    groups, size, layers = config.key_value_heads, config.head_size, range(config.layers)
    capture = CudaGraphs(model.device) if model.device.type == "cuda" else as_it_is
    room_for, shared = capacity_for(context) + max(nodes) * window, config.heads // groups
    rooms = [tuple(torch.randn(2, groups, room_for, size, device=weight.device).to(weight.dtype)) for _ in layers]
    contexts = [(key[:, :context], value[:, :context]) for key, value in rooms]
    tails = [(key[:, : context + window], value[:, : context + window]) for key, value in rooms]
    rows = []
    for count in nodes:
        query = torch.randn(count, config.heads, window, size, device=weight.device).to(weight.dtype)
        key, value = torch.randn(2, count, groups, window, size, device=weight.device).to(weight.dtype)
        given = (query, key, value)
        ways: dict[str, Callable[[int], Tensor]] = {
            "eager": lambda layer, given=given: attend(*given, contexts[layer], tails[layer]),
            "at_once": lambda layer, given=given: attend_joint(*given, *contexts[layer]),
        }
        if has_fused(weight, size):
            ways["in_parts"] = lambda layer, given=given: attend_split(*given, *contexts[layer])
        for name, kind in (("static_packed", PackedAttention), ("static_in_parts", SplitAttention)):
            if kind is PackedAttention or has_fused(weight, size):
                layout = kind(rooms, capacity_for(context), count, window, shared * window)
                layout.resize(context)
                ways[name] = lambda layer, given=given, layout=layout: layout.attend(layer, *given, None)
        row: dict[str, Any] = {"nodes": count, "in_parts": None, "static_in_parts": None}
        for name, way in ways.items():
            replay = capture(lambda way=way: [way(layer) for layer in layers][-1])
            seconds = [clock.timed(replay, model.device)[1] for _ in range(repeats)]
            row[name] = statistics.median(seconds) * 1e3
        rows.append(row)
    return rows
