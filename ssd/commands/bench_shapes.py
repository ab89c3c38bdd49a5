"""One window forward of several sizes: ours beside the eager implementation, its matrix products, and the floor."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from ssd.commands import eager
from ssd.measure.clock import spent
from ssd.measure.cost.floor import Rates, Work
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.kv_cache import Window
from ssd.modeling.transformer import Transformer

Call = Callable[[], object]


@torch.inference_mode()
def shape_rows(
    llama: LlamaForCausalLM,
    model: DiffusionModel,
    compiled: DiffusionModel | None,
    length: int,
    blocks: Sequence[int],
    nodes: Sequence[int],
    budget_s: float,
) -> list[dict[str, Any]]:
    """Return a row per block length and number of nodes: median ms of one forward over the last block of a canvas.

    On a CPU they are processor milliseconds. All forwards of one size are timed in turn, each after one to warm up.
    length: of the canvas; compiled: the model with compiled layers, None: that column is empty; budget_s: seconds for
    all rows together, at least one round each.
    """
    rates, rows = Rates.measure(model), []
    for block, count in product(blocks, nodes):
        window = Window(length - block, length, length - block, length, length)
        calls = calls_of(llama, model, compiled, window, count)
        ms = _in_turn(calls, model.device, budget_s / len(blocks) / len(nodes))
        ms["floor"] = Work.of(model, count, block, length - block, block).floor_s(rates) * 1e3
        ratios = {
            "to_eager": ms["eager"] / ms["ours"],
            "to_products": ms["ours"] / ms["products"],
            "to_floor": ms["ours"] / ms["floor"],
        }
        rows.append({"block": block, "nodes": count, "compile": None, **ms, **ratios})
    return rows


def calls_of(
    llama: LlamaForCausalLM, model: DiffusionModel, compiled: DiffusionModel | None, window: Window, nodes: int
) -> dict[str, Call]:
    """Return the forwards of one size by name. The eager one has a batch of caches, one per node."""
    canvas = torch.full((window.length,), model.config.mask_id)
    states = canvas[window.start :].repeat(nodes, 1)
    positions = torch.arange(window.length, device=model.device)[None]
    cache = eager.DualCache(window.start, window.stop)
    llama(canvas.repeat(nodes, 1).to(model.device), position_ids=positions, past_key_values=cache, use_cache=True)
    own, batch = positions[:, window.start :], states.to(model.device)
    sizes = {module.in_features for module in model.transformer.modules() if isinstance(module, nn.Linear)}
    rows = {size: torch.randn(states.numel(), size, device=model.device).to(model.dtype) for size in sizes}
    calls: dict[str, Call] = {
        "eager": partial(llama, batch, position_ids=own, past_key_values=cache, use_cache=True),
        "ours": partial(model.window, states, window, model.refresh(canvas, window)[1]),
        "products": partial(_products, model.transformer, rows),
    }
    if compiled is not None:
        calls["compile"] = partial(compiled.window, states, window, compiled.refresh(canvas, window)[1])
    return calls


def _products(transformer: Transformer, rows: dict[int, Tensor]) -> None:
    """Make every matrix product of a forward, with rows [rows, size] by size, and nothing else."""
    for module in transformer.modules():
        if isinstance(module, nn.Linear):
            module(rows[module.in_features])


def _in_turn(calls: dict[str, Call], device: torch.device, budget_s: float) -> dict[str, float]:
    """Return the median milliseconds of each call."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    while not seconds["ours"] or sum(map(sum, seconds.values())) * 2 < budget_s:
        for name, call in calls.items():
            call()
            seconds[name].append(spent(call, device)[1])
    return {name: statistics.median(each) * 1e3 for name, each in seconds.items()}
