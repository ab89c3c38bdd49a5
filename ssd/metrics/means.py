"""Metrics of both sides from the lines of samples.jsonl: means per response, and ratios of sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from ssd.results.schema import Pair

Sample = dict[str, Any]
Value = Callable[[dict[str, Any]], float]
SIDES: tuple[Literal["reference", "decoder"], ...] = ("reference", "decoder")


def per_response(samples: Sequence[Sample], value: Value) -> Pair:
    """Return each side's mean of a value of its fields."""
    means = {side: _total(samples, side, value) / len(samples) for side in SIDES}
    return Pair(reference=means["reference"], decoder=means["decoder"])


def per_sum(samples: Sequence[Sample], upper: Value, lower: Value) -> Pair:
    """Return each side's sum of one value over its sum of another."""
    ratios = {side: _total(samples, side, upper) / _total(samples, side, lower) for side in SIDES}
    return Pair(reference=ratios["reference"], decoder=ratios["decoder"])


def _total(samples: Sequence[Sample], side: str, value: Value) -> float:
    return float(sum(value(sample[side]) for sample in samples))
