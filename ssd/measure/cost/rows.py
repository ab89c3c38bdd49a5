"""Rows of bench_forward's tables: measured seconds of forwards beside their floors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ssd.decoding.cache_policy import POLICIES
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.cost.floor import Rates, Work
from ssd.measure.cost.forwards import Shape, block_of, blocks_begun_apart
from ssd.measure.cost.model import CostModel
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel

Row = dict[str, Any]


def forward_rows(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    prompt_length: int,
    nodes: Sequence[int],
    rates: Rates,
    budget_s: float,
) -> list[Row]:
    """Return a row per forward in the first block: the refresh of a cache, and windows over 1 and `nodes` states.

    An exact cache has no refresh: its stores cost as their rows.
    """
    cost = CostModel.measure(model, settings, special, [prompt_length], [1, *nodes], budget_s)
    length = cost.lengths[0]
    window = block_of(settings, cost.logits_shift, 0, length).window
    one_node_s = cost.forward_s(Shape(1, 0, length))
    rows = []
    refreshes = POLICIES[settings.cache].refreshes and not window.is_whole
    for count in (0, *cost.nodes) if refreshes else cost.nodes:
        states, size = (count, window.size) if count else (1, window.length)
        context = window.length - size
        latency_s = cost.forward_s(Shape(count, 0, length))
        work = Work.of(model, states, size, context, window.rows)
        rows.append(
            {
                "nodes": str(count or "refresh"),
                "window": size,
                "context": context,
                "ms": latency_s * 1e3,
                "to_one_node": latency_s / one_node_s,
                "rows_per_s": states * size / latency_s,
                "megabytes": work.bytes / 1e6,
                "gigaflops": work.flops / 1e9,
                "floor_ms": work.floor_s(rates) * 1e3,
                "to_floor": latency_s / work.floor_s(rates),
                "mbu": work.bandwidth_utilisation(latency_s, rates),
                "rounds": cost.rounds,
            }
        )
    return rows


def split_by_fit(config: ModelConfig, prompt_length: int, gen_lengths: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return those of `gen_lengths` that fit into the model's context behind such a prompt, and those that do not."""
    room = config.context_length - prompt_length
    return [length for length in gen_lengths if length <= room], [length for length in gen_lengths if length > room]


def growth_rows(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    prompt_length: int,
    gen_lengths: Sequence[int],
    budget_s: float,
) -> list[Row]:
    """Return a row for each of `gen_lengths`: the summed seconds of stepwise decoding's forwards.

    Raises ValueError for one that does not fit into the model's context, see `split_by_fit`.
    """
    rows = []
    for gen_length in gen_lengths:
        longer = replace(settings, gen_length=gen_length)
        cost = CostModel.measure(model, longer, special, [prompt_length], [1], budget_s / len(gen_lengths))
        first_s, decode_s = (cost.forward_s(Shape(nodes, 0, cost.lengths[0])) for nodes in (0, 1))
        begun = blocks_begun_apart(longer)
        seconds = begun * first_s + (gen_length - begun) * decode_s
        rows.append(
            {
                "gen_length": gen_length,
                "nfe": gen_length,
                "refresh_ms": first_s * 1e3,
                "decode_ms": decode_s * 1e3,
                "seconds": seconds,
                "ms_per_token": seconds / gen_length * 1e3,
            }
        )
    return rows
