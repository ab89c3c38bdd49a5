"""One side's fields in a line of samples.jsonl."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import zip_longest
from typing import Any

from ssd.decoding.trace import Kind, Trace
from ssd.metrics.decode_order import order_correlation
from ssd.results.records import Timed
from ssd.results.schema import SideRecord
from ssd.tasks.task import Verdict


def side(
    timed: Timed,
    text: str,
    verdict: Verdict,
    end_ids: Collection[int],
    predicted_s: float | None,
    block_length: int,
    prompt_in_first_block: int = 0,
) -> SideRecord:
    """Return one side's fields. Tokens are counted from ids and never include the prompt.

    predicted_s: seconds of its forwards by the run's cost model; None if they cannot be predicted; block_length,
    prompt_in_first_block: the blocks of the response.
    """
    trace, ids = timed.decoded.trace, timed.decoded.response_ids
    drafted, accepted = by_depth(trace)
    return {
        "response_ids": ids,
        "text": text,
        "answer": verdict.answer,
        "correct": verdict.correct,
        "correct_strict": verdict.strict,
        "reason": verdict.reason,
        "latency_s": timed.latency_s,
        "time_s": timed.time_s,
        "verifier_s": timed.verifier_s,
        "model_s": timed.model_s,
        "predicted_s": predicted_s,
        "forwards": timed.forwards,
        "nfe": trace.nfe_by_kind,
        "node_evaluations": trace.node_evaluations,
        "token_rows": trace.token_rows,
        "tokens_total": len(ids) - trace.filled,
        "tokens_useful": next((place for place, token in enumerate(ids) if token in end_ids), len(ids)),
        "tokens_cut": trace.tokens_cut(len(ids)),
        "acceptance_lengths": trace.acceptance_lengths(len(ids)),
        "drafted_by_depth": drafted,
        "accepted_by_depth": accepted,
        "order_correlation": order_correlation(trace, block_length, prompt_in_first_block),
        "blocks_filled_by_refresh": blocks_filled_by_refresh(trace),
    }


def by_depth(trace: Trace) -> tuple[list[int], list[int]]:
    """Return drafted and accepted nodes per depth, summed over a trace's forwards."""
    return sum_columns(event.drafted for event in trace.events), sum_columns(event.accepted for event in trace.events)


def blocks_filled_by_refresh(trace: Trace) -> int:
    """Return the number of blocks whose only forward is their refresh, beside forwards that only store full blocks."""
    kinds: defaultdict[int, list[Kind]] = defaultdict(list)
    for event in trace.events:
        if event.kind != "refresh" or not event.stored:
            kinds[event.block].append(event.kind)
    return sum(of_block == ["refresh"] for of_block in kinds.values())


def sum_columns(rows: Any) -> list[int]:
    """Return column sums of rows of unequal length."""
    return [sum(column) for column in zip_longest(*rows, fillvalue=0)]


def trace_to_json(trace: Trace) -> list[dict[str, Any]]:
    """Return the events of a trace as plain data, one object per forward, each with the nodes that it drafted.

    If the trace keeps confidences of decided positions, `decided` lists them for each committed step.
    """
    return [
        {
            **event._asdict(),
            "picks": [list(pick) for pick in event.picks],
            "draft": [
                {**node._asdict(), "picks": [list(pick) for pick in node.picks]} for node in trace.drafted_by(at)
            ],
            **({"decided": trace.decided_at(at)} if trace.decided else {}),
        }
        for at, event in enumerate(trace.events)
    ]


def total_nfe(part: dict[str, Any]) -> int:
    """Return the forwards of the dLLM in one side's fields, without a verifier's."""
    return sum(count for kind, count in part["nfe"].items() if kind != "verifier")
