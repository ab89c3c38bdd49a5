"""Metrics of both sides from the lines of samples.jsonl: means per response, and ratios of sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

from ssd.results.schema import Pair

Sample = dict[str, Any]
Value = Callable[[dict[str, Any]], float]
SIDES: tuple[Literal["reference", "decoder"], ...] = ("reference", "decoder")


def are_known(samples: Sequence[Sample], *names: str) -> bool:
    """Return whether these values are there on both sides of every line."""
    return all(sample[side][name] is not None for sample in samples for side in SIDES for name in names)


def per_response(samples: Sequence[Sample], value: Value) -> Pair:
    """Return each side's mean of a value of its fields."""
    return per_sum(samples, value, lambda part: 1)


def per_sum(samples: Sequence[Sample], upper: Value, lower: Value) -> Pair:
    """Return each side's sum of one value over its sum of another."""
    sums = {side: [sum(map(value, (sample[side] for sample in samples))) for value in (upper, lower)] for side in SIDES}
    return cast(Pair, {side: above / below for side, (above, below) in sums.items()})
