"""Time decode loops: their share outside the model's forwards, and how well forward costs predict them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from baselines.stepwise import Stepwise
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.measure import clock
from ssd.measure.cost.model import CostModel, node_grid
from ssd.measure.instrumentation import ForwardTimer
from ssd.modeling.forwards import DiffusionModel
from ssd.speculation.decoder import SelfSpeculative


def decoders() -> dict[str, Decoder]:
    """Return the decoders whose loops are timed, by name."""
    return {"stepwise": Stepwise(), "ssd, depth 8": SelfSpeculative(), "ssd, depth auto": SelfSpeculative("auto")}


def loop_rows(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    prompt_length: int,
    sides: Mapping[str, Decoder],
    budget_s: float,
) -> list[dict[str, Any]]:
    """Return a row per decoder: one response to a prompt of `prompt_length` end tokens, after one to warm up.

    outside: share of its seconds outside the model's forwards; predicted_s: from its forwards and their costs, which
    are measured within `budget_s`.
    """
    prompt, length = [special.fill_id] * prompt_length, prompt_length + settings.gen_length
    most_nodes = max(decoder.most_nodes for decoder in sides.values())
    cost = CostModel.measure(model, settings, special, [prompt_length], node_grid(most_nodes), budget_s)
    timer = ForwardTimer(model.device, model.transformer, model.transformer.head)
    rows: list[dict[str, Any]] = []
    for name, decoder in sides.items():
        decoder.load(model, Path(), settings, Workload(prompt_length))
        decoder.decode(model, prompt, settings, special)
        clock.synchronize(model.device)
        timer.take()
        decoded, latency_s = clock.timed(partial(decoder.decode, model, prompt, settings, special), model.device)
        trace = decoded.trace
        rows.append(
            {
                "decoder": name,
                "seconds": latency_s,
                "nfe": trace.nfe,
                "nodes": trace.node_evaluations / trace.nfe,
                "outside": 1 - timer.take() / latency_s,
                "predicted_s": cost.seconds(trace, length),
            }
        )
    timer.remove()
    first = rows[0]
    for row in rows:
        row["speedup"] = first["seconds"] / row["seconds"]
        row["predicted_speedup"] = first["predicted_s"] / row["predicted_s"]
    return rows
