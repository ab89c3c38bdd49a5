"""Metrics of time and memory in a summary; all are None where nothing was timed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from ssd.metrics.bootstrap import ratio_of_sums
from ssd.metrics.means import SIDES, Sample, are_known, per_response, per_sum
from ssd.results.schema import Pair
from ssd.results.summary_schema import Speed


def speed(samples: Sequence[Sample], turns: Sequence[Sequence[Sample]]) -> Speed:
    """Return keys of summary.json, all None after runtime.timing=false. The speedup's interval is over `turns`."""
    if not are_known(samples, "time_s"):
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


def _predicted(samples: Sequence[Sample]) -> float | None:
    """Return the speedup that the run's cost model predicts from the forwards alone; None without a cost model."""
    if not are_known(samples, "predicted_s"):
        return None
    predicted_s = per_response(samples, lambda part: part["predicted_s"])
    return predicted_s["reference"] / predicted_s["decoder"]


def _predicted_of_measured(samples: Sequence[Sample]) -> Pair | None:
    """Return each side's predicted seconds over its measured seconds inside the model; None where either is unknown."""
    if not are_known(samples, "predicted_s", "model_s"):
        return None
    return per_sum(samples, lambda part: part["predicted_s"], lambda part: part["model_s"])


def _outside_model(samples: Sequence[Sample]) -> Pair | None:
    """Return the share of each side's time outside the forwards of the model and a verifier; None where unknown."""
    if not are_known(samples, "model_s"):
        return None
    return per_sum(
        samples,
        lambda part: part["latency_s"] - part["model_s"] - part["verifier_s"],
        lambda part: part["latency_s"],
    )


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    return {f"p{rank}": float(np.percentile(latencies, rank)) for rank in (50, 90, 99)}
