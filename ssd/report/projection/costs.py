"""What a verification of several nodes costs beside a forward of one, and what saved forwards are worth."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ssd.report.projection.devices import device, devices, shape
from ssd.report.projection.engines import ENGINES, engine
from ssd.report.projection.projected import Target
from ssd.report.projection.roofline import Forwards, Numbers, Range, forward_s

SSD_PAPER = {"prompt": 150, "gen_length": 256, "block": 8, "nodes": 8}
"""Lengths and nodes of arXiv 2510.04147 (zero-shot, dual cache); prompt and nodes are assumptions."""
SSD_ON = "a100"
STEPS_SAVED = (0.5, 0.6, 0.7, 0.75)
"""Shares of all forwards: the published range, and the most that blocks of 8 allow with one refresh each."""


def node_costs(target: Target, block: int, context: int, nodes: Sequence[int]) -> pd.DataFrame:
    """Return a row per model and device: milliseconds of a window of one node, and the costs of `nodes` in its units.

    Columns `one.low`, `one.high` and, for each number n of nodes, `n.low`, `n.high`; `free`: rows from which on the
    layers' products take longer than reading their weights, as a weight has two bytes and two FLOPs per row.
    """
    windows = Forwards.of(*((count, block, 0, context, block, 1) for count in (1, *nodes)))
    readings = list(engine(target.engine).readings())
    reached = np.array([each.matrices / each.memory for each in readings])
    found: list[dict[str, Any]] = []
    for model, place in product(target.models or ["llada"], target.devices or devices()):
        seconds = forward_s(windows, shape(model), device(place), engine(target.engine), target.batch)
        row: dict[str, Any] = {"model": model, "device": device(place).title}
        row |= _ends("free", reached * device(place).flops_per_s / device(place).bytes_per_s)
        row |= _ends("one", 1e3 * seconds[:, 0])
        for count, cost in zip(nodes, (seconds[:, 1:] / seconds[:, :1]).T, strict=True):
            row |= _ends(str(count), cost)
        found.append(row)
    return pd.DataFrame(found)


def saved_steps() -> pd.DataFrame:
    """Return a row per model and engine: speedups where SSD saves these shares of stepwise decoding's forwards.

    Refreshes are never saved: one per block, as in arXiv 2505.22618. Columns `50%.low`, `50%.high`, ...; `refreshes`:
    their share of stepwise decoding's seconds.
    """
    return pd.DataFrame(_saved(model, name) for model in ("llada", "dream") for name in ENGINES)


def _saved(model: str, engine_name: str) -> dict[str, Any]:
    gen_length, block = SSD_PAPER["gen_length"], SSD_PAPER["block"]
    length, refreshes = SSD_PAPER["prompt"] + gen_length, gen_length // block
    kinds = Forwards.of(
        (1, length, 0, 0, block, 1), *((nodes, block, 0, length - block, block, 1) for nodes in (1, SSD_PAPER["nodes"]))
    )
    refresh_s, one_s, verify_s = forward_s(kinds, shape(model), device(SSD_ON), engine(engine_name)).T
    stepwise_s = refreshes * refresh_s + (gen_length - refreshes) * one_s
    row: dict[str, Any] = {"model": model, "engine": engine_name}
    for share in STEPS_SAVED:
        verified = gen_length * (1 - share) - refreshes
        row |= _ends(f"{share:.0%}", stepwise_s / (refreshes * refresh_s + verified * verify_s))
    return row | _ends("refreshes", refreshes * refresh_s / stepwise_s)


def _ends(name: str, values: Numbers) -> dict[str, float]:
    return {f"{name}.{end}": value for end, value in Range.of(values)._asdict().items()}
