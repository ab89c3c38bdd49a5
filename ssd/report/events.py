"""Traces as a table of one row per forward."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

WHOLE, NUMBER = pa.int64(), pa.float64()
FORWARD = pa.schema(
    {
        "run_id": pa.string(),
        **dict.fromkeys(("index", "repeat"), WHOLE),
        "side": pa.string(),
        "forward": WHOLE,
        "kind": pa.string(),
        **dict.fromkeys(("block", "step", "nodes", "rows", "stored", "logit_rows", "committed"), WHOLE),
        **dict.fromkeys(("positions", "tokens"), pa.list_(WHOLE)),
        "confidences": pa.list_(NUMBER),
        **dict.fromkeys(("drafted", "accepted"), WHOLE),
        "draft_confidences": pa.list_(NUMBER),
        "draft_accepted": pa.list_(pa.bool_()),
        "draft_depths": pa.list_(WHOLE),
        "decided": pa.list_(NUMBER),
    }
)
NAME = re.compile(r"(\d+)-(\d+)\.json")


def read_traces(folder: Path, run_id: str, left_out: list[tuple[str, str]]) -> pa.Table:
    """Return the forwards of every trace of a run; adds what cannot be read to `left_out`."""
    tables = [FORWARD.empty_table()]
    for file in sorted((folder / "traces").glob("*.json")):
        place = NAME.fullmatch(file.name)
        if place is None:
            continue
        try:
            sides = json.loads(file.read_text(encoding="utf-8"))
            index, repeat = map(int, place.groups())
            sample = {"run_id": run_id, "index": index, "repeat": repeat}
            rows = [{**sample, **row} for side in sides for row in _forwards(side, sides[side])]
            tables.append(pa.Table.from_pylist(rows, schema=FORWARD))
        except (OSError, ValueError, LookupError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            left_out.append((folder.name, f"traces/{file.name}: cannot be read ({reason})"))
    return pa.concat_tables(tables)


def _forwards(side: str, events: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return the rows of one side."""
    for forward, event in enumerate(events):
        positions, tokens, confidences = ([pick[place] for pick in event["picks"]] for place in range(3))
        draft = event["draft"]
        yield {
            "side": side,
            "forward": forward,
            **{name: event[name] for name in ("kind", "block", "step", "nodes", "rows", "stored")},
            "logit_rows": event.get("logit_rows"),
            "committed": len(positions),
            "positions": positions,
            "tokens": tokens,
            "confidences": confidences,
            "drafted": sum(event["drafted"]),
            "accepted": sum(event["accepted"]),
            "draft_confidences": [node["confidence"] for node in draft],
            "draft_accepted": [node["accepted"] for node in draft],
            "draft_depths": [node["depth"] for node in draft],
            "decided": list(chain.from_iterable(event.get("decided", ()))),
        }
