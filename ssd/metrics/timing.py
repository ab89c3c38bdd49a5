"""Metrics of time and memory in a summary; all are None where nothing was timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from ssd.metrics.bootstrap import ratio_of_sums
from ssd.metrics.means import SIDES, Sample, per_response, per_sum
from ssd.results.schema import Pair
from ssd.results.summary_schema import Speed


def speed(samples: Sequence[Sample], turns: Sequence[Sequence[Sample]]) -> Speed:
    """Return keys of summary.json, all None after runtime.timing=false. The speedup's interval is over `turns`."""
    if not is_timed(samples):
        return cast(Speed, dict.fromkeys(Speed.__annotations__))
    latencies = {side: [sample[side]["latency_s"] for sample in samples] for side in SIDES}
    return {
        "speedup": ratio_of_sums(
            *([sum(sample[side]["time_s"] for sample in turn) for turn in turns] for side in SIDES)
        ),
        "ms_per_forward": per_sum(
            samples, lambda part: (part["time_s"] - part["verifier_s"]) * 1e3, lambda part: part["forwards"]
        ),
        "tokens_per_s": per_sum(samples, lambda part: part["tokens_total"], lambda part: part["time_s"]),
        "verifier_s": per_response(samples, lambda part: part["verifier_s"]),
        "latency_s": _percentiles(latencies["decoder"]),
        "reference_latency_s": _percentiles(latencies["reference"]),
        "peak_memory_mib": max(sample["peak_memory_mib"] for sample in samples),
        "predicted_speedup": _predicted(samples),
        "predicted_of_measured": _predicted_of_measured(samples),
        "outside_model": _outside_model(samples),
    }


def is_timed(samples: Sequence[Sample]) -> bool:
    return all(sample[side]["time_s"] is not None for sample in samples for side in SIDES)


def _predicted(samples: Sequence[Sample]) -> float | None:
    """Return the speedup that the run's cost model predicts from the forwards alone; None without a cost model."""
    predicted = {side: [sample[side]["predicted_s"] for sample in samples] for side in SIDES}
    if None in (*predicted["reference"], *predicted["decoder"]):
        return None
    return sum(predicted["reference"]) / sum(predicted["decoder"])


def _predicted_of_measured(samples: Sequence[Sample]) -> Pair | None:
    """Return each side's predicted seconds over its measured seconds inside the model; None where either is unknown."""
    pairs = {side: [(sample[side]["predicted_s"], sample[side]["model_s"]) for sample in samples] for side in SIDES}
    if any(None in pair for side in SIDES for pair in pairs[side]):
        return None
    sums = {side: [sum(values) for values in zip(*pairs[side], strict=True)] for side in SIDES}
    return cast(Pair, {side: predicted / measured for side, (predicted, measured) in sums.items()})


def _outside_model(samples: Sequence[Sample]) -> Pair | None:
    """Return the share of each side's time outside the forwards of the model and a verifier; None where unknown."""
    if any(sample[side]["model_s"] is None for side in SIDES for sample in samples):
        return None
    inside = {side: sum(sample[side]["model_s"] + sample[side]["verifier_s"] for sample in samples) for side in SIDES}
    total = {side: sum(sample[side]["latency_s"] for sample in samples) for side in SIDES}
    return cast(Pair, {side: 1 - inside[side] / total[side] for side in SIDES})


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    return {f"p{rank}": float(np.percentile(latencies, rank)) for rank in (50, 90, 99)}
