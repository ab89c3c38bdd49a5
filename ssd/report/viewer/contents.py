"""The data of the viewer's page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from ssd.decoding.settings import prompt_in_first_block
from ssd.report.viewer.texts import visible
from ssd.results.reader import Line, StoredRun, case_of, name_of, place_of

Data = dict[str, Any]
Decode = Callable[[Sequence[int]], str]
SIDES = ("reference", "decoder")
DIGITS = 5
LOWEST = -1e30
"""Confidences below this one mean `never`: generation.eos gives them to end tokens that it holds back."""


def contents(run: StoredRun, lines: Sequence[Line], decode: Decode | None) -> Data:
    """Return the data of the page: the run, the texts of its tokens, and the samples of `lines` that have traces.

    decode: token ids → text; None shows ids. Raises ValueError if no sample has a trace, or one is damaged.
    """
    samples = [_sample(run, line, decode) for line in lines if has_trace(run, line)]
    if not samples:
        raise ValueError(
            f"{run.folder}: no forwards are stored for these samples; measure the run again with runtime.traces=true"
        )
    config, summary = run.config, run.summary or {}
    about = {
        "id": run.folder.name,
        "decoder": config["decoder"]["name"],
        "reference": summary.get("compared_with", "stepwise decoding"),
        "model": config["model"]["name"],
        "task": config["task"]["name"],
        "block_length": config["generation"]["block_length"],
        "samples": len(run.lines),
    }
    return page_data(about, config["model"]["end_ids"], samples, decode)


def page_data(run: Data, ends: Sequence[int], samples: Sequence[Data], decode: Decode | None) -> Data:
    """Return the data of the page. run: what its head shows; samples: as `contents` makes them from stored ones.

    A sample of `ssd.decode` lacks the side `reference`.
    """
    texts = {token: visible(decode([token])) for token in sorted(_tokens(samples))} if decode else {}
    return {"run": run, "ends": list(ends), "texts": texts, "samples": samples}


def has_trace(run: StoredRun, line: Line) -> bool:
    return _trace_of(run, line).is_file()


def _trace_of(run: StoredRun, line: Line) -> Path:
    index, repeat = place_of(line)
    return run.folder / "traces" / f"{index:06d}-{repeat}.json"


def _sample(run: StoredRun, line: Line, decode: Decode | None) -> Data:
    file = _trace_of(run, line)
    try:
        trace = json.loads(file.read_text(encoding="utf-8"))
        lengths = {side: len(line[side]["response_ids"]) for side in SIDES}
        events = {side: shown_events(trace[side], lengths[side]) for side in SIDES}
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(f"{file}: not a trace", error) from error
    index, repeat = place_of(line)
    try:
        prompt, blocks = line["prompt_ids"], run.config["generation"]
        return {
            "index": index,
            "repeat": repeat,
            "prompt_in_first_block": prompt_in_first_block(
                len(prompt), blocks["block_length"], blocks.get("grid", "prompt")
            ),
            "prompt": decode(prompt) if decode else " ".join(map(str, prompt)),
            "target": str(line["target"]),
            "identical": line["identical"],
            "divergence": _divergence(case_of(line)),
            "sides": {side: {**_side(line[side]), "events": events[side]} for side in SIDES},
        }
    except (LookupError, TypeError) as error:
        where = f"{run.folder / 'samples.jsonl'}: {name_of(index, repeat)} is not whole"
        raise _damaged(where, error) from error


def _damaged(where: str, error: Exception) -> ValueError:
    return ValueError(f"{where} ({type(error).__name__}: {error}); measure the run anew with overwrite=true")


def _side(stored: Line) -> Data:
    return {"ids": stored["response_ids"], "text": stored["text"], "correct": stored["correct"]}


def _divergence(case: Line | None) -> Data | None:
    """Return the first difference, with the decoder's forward (from 0) and the position on each side."""
    if case is None:
        return None
    picks = {side: (case.get(f"{side}_pick") or {}).get("position") for side in SIDES}
    at = {side: picks[side] if case["position"] is None else case["position"] for side in SIDES}
    return {"differs": case["differs"], "class": case["class"], "forward": case.get("forward"), "positions": at}


def shown_events(events: Iterable[Line], length: int) -> list[Data]:
    """Return events with rounded confidences; length: of the response. Positions behind it are not shown."""
    names = ("kind", "block", "step", "nodes", "rows", "stored", "drafted", "accepted")
    return [
        {
            **{name: event[name] for name in names},
            "revoked": [position for position in event["revoked"] if position < length],
            "picks": [[place, token, _short(sure)] for place, token, sure in event["picks"] if place < length],
            "draft": [
                {
                    **node,
                    "picks": [pick for pick in node["picks"] if pick[0] < length],
                    "confidence": _short(node["confidence"]),
                }
                for node in event["draft"]
            ],
        }
        for event in events
    ]


def _short(confidence: float) -> float | None:
    return round(confidence, DIGITS) if isfinite(confidence) and confidence > LOWEST else None


def _tokens(samples: Iterable[Data]) -> set[int]:
    """Return every token that the page shows."""
    found: set[int] = set()
    for sample in samples:
        for side in sample["sides"].values():
            found.update(side["ids"])
            for event in side["events"]:
                found.update(token for _, token, _ in event["picks"])
                found.update(token for node in event["draft"] for _, token in node["picks"])
    return found
