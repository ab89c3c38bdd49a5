"""The devices of a projection, with the numbers of their data sheets."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from ssd.modeling.config import ModelConfig
from ssd.modeling.published import PUBLISHED

FILE = Path(__file__).with_name("devices.csv")


class Device(NamedTuple):
    """Peak rates of bfloat16 products without sparsity and of the memory, memory in bytes, and where they are from."""

    title: str
    flops_per_s: float
    bytes_per_s: float
    memory_bytes: float
    source: str


@cache
def devices() -> Mapping[str, Device]:
    """Return the devices of devices.csv by name."""
    with FILE.open(newline="", encoding="utf-8") as lines:
        found = {
            row["name"]: Device(
                row["title"],
                float(row["teraflops_per_s"]) * 1e12,
                float(row["gigabytes_per_s"]) * 1e9,
                float(row["memory_gb"]) * 1e9,
                row["source"],
            )
            for row in csv.DictReader(lines)
        }
    return MappingProxyType(found)


def device(name: str) -> Device:
    """Return the device of this name. Raises ValueError that lists the known ones."""
    if name not in devices():
        raise ValueError(f"--device {name}: expected one of {', '.join(devices())}")
    return devices()[name]


def shape(name: str) -> ModelConfig:
    """Return the published shape of this name. Raises ValueError that lists the known ones."""
    if name not in PUBLISHED:
        raise ValueError(f"--model {name}: expected one of {', '.join(PUBLISHED)}")
    return PUBLISHED[name]
