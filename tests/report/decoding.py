"""Made-up traces: the events that a decoder would leave if its drafts were right about as often as drafts are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import sin
from typing import Any

import numpy as np

Event = dict[str, Any]
KINDS = ("refresh", "decode", "verify", "verifier")
PARALLEL = {"fast_dllm": 3, "wino": 4, "apd": 2}


def stepwise(generator: np.random.Generator, order: Sequence[int], window: int, block_length: int) -> list[Event]:
    """One pick per forward, in this order of positions; every block begins with a refresh over the whole window."""
    return _events(generator, order, window, block_length, {})


def decode(
    generator: np.random.Generator, order: Sequence[int], window: int, block_length: int, decoder: Mapping[str, Any]
) -> list[Event]:
    """The same order, with the drafts of this decoder's options, or several picks at once."""
    return _events(generator, order, window, block_length, decoder)


def _events(
    generator: np.random.Generator, order: Sequence[int], window: int, block_length: int, decoder: Mapping[str, Any]
) -> list[Event]:
    asked = decoder.get("depth") or decoder.get("draft_steps", 0)
    depth = 8 if asked == "auto" else asked
    width = decoder.get("width") or 1
    events: list[Event] = []
    for block, group in groupby(order, key=lambda place: place // block_length):
        left = list(group)
        places = len(left)
        while left:
            first = len(left) == places
            levels = 0 if first else min(depth, len(left) - 1)
            draft = [_node(generator, left, level, width) for level in range(1, levels + 1) for _ in range(width)]
            accepted = _accepted(generator, draft, levels, width)
            count = min(len(left), 1 + accepted if levels else 1 if first else PARALLEL.get(decoder.get("name", ""), 1))
            now, left = left[:count], left[count:]
            committed = order.index(now[0])
            events.append(
                {
                    "kind": "refresh" if first else "verify" if levels else "decode",
                    "block": block,
                    "step": places - len(left) - count,
                    "nodes": 1 + len(draft),
                    "rows": window if first else block_length,
                    "stored": 0,
                    "logit_rows": block_length,
                    "picks": [[place, 7 + place, float(generator.beta(6, 1))] for place in now],
                    "drafted": [width] * levels,
                    "accepted": [int(level < accepted) for level in range(levels)],
                    "revoked": [],
                    "draft": draft,
                    "decided": list(_decided(order, committed, [count] if count > 1 + accepted else [1] * count)),
                }
            )
    return events


def _node(generator: np.random.Generator, left: Sequence[int], depth: int, width: int) -> dict[str, Any]:
    picks = [[place, 7 + place] for place in left[:depth]]
    return {"depth": depth, "picks": picks, "confidence": float(generator.beta(4, 1)) / width, "accepted": False}


def _accepted(generator: np.random.Generator, draft: list[dict[str, Any]], levels: int, width: int) -> int:
    """Mark the believed path in the draft; returns its length."""
    for level in range(levels):
        node = draft[level * width]
        if generator.random() > node["confidence"]:
            return level
        node["accepted"] = True
    return levels


def _decided(order: Sequence[int], committed: int, counts: Sequence[int]) -> Iterator[list[float | None]]:
    """The confidences after each step of a forward; every third position keeps its own."""
    for count in counts:
        committed += count
        confidences: list[float | None] = [None] * len(order)
        for place in order[:committed]:
            confidences[place] = 0.5 + 0.4 * sin(place + committed * (place % 3))
        yield confidences
