"""Made-up lines of samples.jsonl, in which counts agree with the events that they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tests.report.decoding import KINDS, Event, decode, stepwise

GEN_LENGTH, BLOCK_LENGTH, PROMPT_LENGTH = 32, 16, 24


def sides_of(generator: np.random.Generator, decoder: Mapping[str, Any], chain: bool) -> dict[str, list[Event]]:
    """The events of every side of one response."""
    window, starts = PROMPT_LENGTH + GEN_LENGTH, range(0, GEN_LENGTH, BLOCK_LENGTH)
    order = [int(place) for start in starts for place in start + generator.permutation(BLOCK_LENGTH)]
    sides = {"reference": stepwise(generator, order, window, BLOCK_LENGTH)}
    sides["decoder"] = decode(generator, order, window, BLOCK_LENGTH, decoder)
    return {"uncached": stepwise(generator, order, window, BLOCK_LENGTH), **sides} if chain else sides


def sample_line(
    generator: np.random.Generator,
    index: int,
    repeat: int,
    sides: Mapping[str, list[Event]],
    differs: bool,
    gain_s: float,
) -> dict[str, Any]:
    """A line of samples.jsonl: the fields that ssd.run.session writes."""
    ids = [int(token) for token in generator.integers(2, 400, GEN_LENGTH)]
    right, pace = bool(generator.random() < 0.8), float(generator.uniform(0.8, 1.2))
    other = [*ids[:5], ids[5] % 300 + 2, *ids[6:]]
    parts = {name: _side(generator, events, ids, right, pace) for name, events in sides.items()}
    if differs:
        parts["decoder"] |= {"response_ids": other, "correct": bool(generator.random() < 0.5)}
    for name in ("latency_s", "time_s", "model_s"):
        parts["decoder"][name] += gain_s * len(sides["decoder"])
    divergence = {"index": 5, "step": 3, "class": "numeric" if index % 2 else "algorithmic", "token_margin": 0.01}
    return {
        "schema": 1,
        "index": index,
        "repeat": repeat,
        "turn": index,
        "seed": repeat,
        "prompt_ids": [int(token) for token in generator.integers(2, 400, PROMPT_LENGTH)],
        "prompt_sha256": hashlib.sha256(bytes([index])).hexdigest(),
        "target": "42",
        **parts,
        "identical": not differs,
        "same_commit_order": not differs,
        "first_divergence": divergence if differs else None,
        "order_divergence": None,
        "reference_drift": False,
        "oracle_nfe": 9,
        "peak_memory_mib": 370.0 + index,
    }


def _side(
    generator: np.random.Generator, events: list[Event], ids: list[int], right: bool, pace: float
) -> dict[str, Any]:
    nodes, rows = sum(event["nodes"] for event in events), sum(event["nodes"] * event["rows"] for event in events)
    model_s = (
        pace
        * float(generator.uniform(0.9, 1.1))
        * sum(0.02 + 4e-6 * event["nodes"] * event["rows"] for event in events)
    )
    drafting = [event for event in events if event["drafted"]]
    depth = max((len(event["drafted"]) for event in drafting), default=0)
    return {
        "response_ids": ids,
        "text": "<b>42</b>",
        "answer": "42" if right else None,
        "correct": right,
        "correct_strict": right,
        "reason": "strict" if right else "wrong",
        "latency_s": model_s * 1.06,
        "time_s": model_s * 1.06,
        "verifier_s": 0.0,
        "model_s": model_s,
        "predicted_s": model_s * float(generator.uniform(0.95, 1.1)),
        "forwards": float(len(events)),
        "nfe": {kind: sum(event["kind"] == kind for event in events) for kind in KINDS},
        "node_evaluations": nodes,
        "token_rows": rows,
        "tokens_total": len(ids),
        "tokens_useful": len(ids) - 4,
        "tokens_cut": 0,
        "acceptance_lengths": [len(event["picks"]) for event in drafting],
        "drafted_by_depth": list(_columns(drafting, "drafted", depth)),
        "accepted_by_depth": list(_columns(drafting, "accepted", depth)),
        "blocks_filled_by_refresh": 1,
        "order_correlation": {"within_blocks": 0.2, "response": 0.7},
    }


def _columns(events: list[Event], name: str, depth: int) -> Iterator[int]:
    for level in range(depth):
        yield sum(event[name][level] for event in events if level < len(event[name]))
