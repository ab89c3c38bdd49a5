"""Published times beside what the roofline gives for their forwards, from the rows of checks.csv.

A row names a number of results/published, and the forwards that it stands for: cache and block, prompt tokens, window
positions behind the block (suffix; blank: all), nodes of a verification, forwards of one node after a block's first
(single), forwards in all (nfe), tokens that tokens/s may count, and the setting that it is a speedup over.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

import pandas as pd

from ssd.report.projection.devices import devices, shape
from ssd.report.projection.engines import ENGINES
from ssd.report.projection.roofline import Forwards, Numbers, Range, response_s
from ssd.report.published import published

FILE = Path(__file__).with_name("checks.csv")
KEY = ("paper", "model", "task", "gen_length", "method", "setting", "metric")
Check = dict[str, str]


@cache
def checks() -> list[Check]:
    """Return the rows of checks.csv."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def times() -> pd.DataFrame:
    """Return each check with the published value, the projected range, and published / the range's middle."""
    rows = []
    for check in checks():
        seconds, value = _seconds(check), value_of(check)
        projected = Range.of(seconds)
        if check["metric"] == "tokens_per_s":
            projected = Range(float(check["tokens_low"]) / projected.high, float(check["tokens_high"]) / projected.low)
        rows.append(_beside(check, value, projected))
    return pd.DataFrame(rows)


def speedups() -> pd.DataFrame:
    """Return the same for speedups between two checks, in which the counted tokens cancel."""
    rows = []
    for check in checks():
        if not check["faster_than"]:
            continue
        same = ("paper", "model", "gen_length")
        (slower,) = (
            other
            for other in checks()
            if other["setting"] == check["faster_than"] and all(other[name] == check[name] for name in same)
        )
        value = value_of(check) / value_of(slower)
        value = value if check["metric"] == "tokens_per_s" else 1 / value
        rows.append(_beside(check, value, Range.of(_seconds(slower) / _seconds(check))))
    return pd.DataFrame(rows)


def value_of(check: Check) -> float:
    """Return the number of results/published that a check names. Raises ValueError if there is not exactly one."""
    key = [check[name] for name in KEY]
    rows = _published()
    found = rows["value"][(rows[list(KEY)] == key).all(axis=1)]
    if len(found) != 1:
        raise ValueError(f"{FILE.name}: {len(found)} published numbers for {key}, expected 1")
    return float(found.iloc[0])


@cache
def _published() -> pd.DataFrame:
    return published()


def forwards_of(check: Check) -> Forwards:
    """Return the forwards of one response, spread evenly over its blocks."""
    return Forwards.of(*_kinds(check))


def _kinds(check: Check) -> Iterator[tuple[float, ...]]:
    block, prompt, nodes, single, nfe = (int(check[name]) for name in ("block", "prompt", "nodes", "single", "nfe"))
    gen_length = int(check["gen_length"] or check["tokens_high"])
    length, per_block = prompt + gen_length, nfe * block / gen_length
    if check["cache"] == "none":
        yield 1, length, 0, 0, block, nfe
        return
    for start in range(prompt, length, block):
        rows, context = block, length - block
        if check["cache"] == "exact":
            context, first = start, 0
        else:
            yield 1, length, 0, 0, block, 1
            first = 1
        if check["cache"] == "prefix":
            suffix = int(check["suffix"]) if check["suffix"] else length
            rows, context = min(block + suffix, length - start), start
        yield 1, rows, 0, context, block, single
        yield nodes, rows, 0, context, block, per_block - first - single


def _seconds(check: Check) -> Numbers:
    """Return the seconds [readings] of one response."""
    place = devices()[check["device"]]
    return response_s(forwards_of(check), shape(check["shape"]), place, ENGINES["transformers"])


def _beside(check: Check, value: float, projected: Range) -> dict[str, Any]:
    middle = sqrt(projected.low * projected.high)
    return {
        **check,
        "published": value,
        "projected.low": projected.low,
        "projected.high": projected.high,
        "published_to_middle": value / middle,
        "is_inside": projected.low <= value <= projected.high,
    }
