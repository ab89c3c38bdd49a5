"""The summary of a run, computed from the lines of samples.jsonl alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ssd.decoding.trace import KINDS
from ssd.metrics.accuracy import accuracy_difference, lengths, pass_at
from ssd.metrics.decode_order import mean_correlation
from ssd.metrics.means import SIDES, Sample, are_known, per_response, per_sum
from ssd.metrics.reference_chain import reference_chain
from ssd.metrics.response import sum_columns, total_nfe
from ssd.metrics.timing import speed
from ssd.results.schema import SCHEMA, SideRecord
from ssd.results.summary_schema import Acceptance, Identity


def summarise(
    config: Mapping[str, Any], run_id: str, reference: str, caveat: str | None, samples: Sequence[Sample]
) -> dict[str, Any]:
    """Return summary.json (`ssd.results.schema.Summary`): means per response; ratios of sums, reference over decoder.

    A prompt has `runtime.repeats` responses. Intervals are over prompts, because responses to one prompt are alike. The
    speedup's interval is over turns, since a turn of a batch has many prompts. Metrics of time and memory are None
    where nothing was timed. reference_drift: number of responses whose reference differs from the stored one.
    compile_s and cache_caveat are None here; the run adds them.
    reference: name of what the decoder was compared with; caveat: why the claim to be lossless is void in this mode.
    """
    prompts = together(samples, "index")
    turns = together(samples, "turn")
    nfe = per_response(samples, total_nfe)
    is_strict = are_known(samples, "correct_strict")  # else the task has no strict rule
    by_kind = {kind: sum(sample["decoder"]["nfe"].get(kind, 0) for sample in samples) / len(samples) for kind in KINDS}
    return {
        "schema": SCHEMA,
        "run_id": run_id,
        "status": "done",
        "prompts": len(prompts),
        "responses": len(samples),
        "turns": len(turns),
        **{group: config[group]["name"] for group in ("decoder", "model", "task")},
        "compared_with": reference,
        "numerics": config["runtime"]["numerics"],
        "claims_lossless": config["decoder"]["lossless"] and caveat is None,
        "caveat": caveat,
        **speed(samples, turns),
        "nfe": {**nfe, "ratio": nfe["reference"] / nfe["decoder"], "by_kind": by_kind},
        "node_evaluations": per_response(samples, lambda part: part["node_evaluations"]),
        "token_rows": per_response(samples, lambda part: part["token_rows"]),
        "tokens_per_forward": per_sum(samples, lambda part: part["tokens_total"], total_nfe),
        "responses_per_forward": per_sum(samples, total_nfe, lambda part: part["forwards"]),
        "acceptance_length": _acceptance([sample["decoder"] for sample in samples]),
        "oracle_tokens_per_forward": _oracle(samples),
        "tokens_total": per_response(samples, lambda part: part["tokens_total"]),
        "tokens_useful": per_response(samples, lambda part: part["tokens_useful"]),
        "tokens_cut": per_response(samples, lambda part: part["tokens_cut"]),
        "identity": _identity(samples),
        "order_correlation": {
            side: mean_correlation([sample[side]["order_correlation"] for sample in samples]) for side in SIDES
        },
        "accuracy": per_response(samples, lambda part: part["correct"]),
        "accuracy_strict": per_response(samples, lambda part: part["correct_strict"]) if is_strict else None,
        "accuracy_difference": accuracy_difference(*(_correct(prompts, side) for side in SIDES)),
        "pass_at": {
            str(k): {side: pass_at(k, _correct(prompts, side)) for side in SIDES}
            for k in range(1, config["runtime"]["repeats"] + 1)
        },
        "hops": reference_chain(prompts, turns),
        "length": {side: lengths([sample[side] for sample in samples]) for side in SIDES},
        "reference_drift": sum(sample["reference_drift"] for sample in samples),
        "compile_s": None,
        "cache_caveat": None,
    }


def together(samples: Sequence[Sample], key: Literal["index", "turn"]) -> list[list[Sample]]:
    """Return the lines of every prompt, or of every turn, in the order of their repeats."""
    groups: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample[key]].append(sample)
    return [sorted(groups[value], key=lambda sample: sample["repeat"]) for value in sorted(groups)]


def _correct(prompts: Sequence[Sequence[Sample]], side: str) -> list[list[bool]]:
    """Return whether each response of each prompt is right."""
    return [[bool(sample[side]["correct"]) for sample in prompt] for prompt in prompts]


def _acceptance(parts: Sequence[SideRecord]) -> Acceptance:
    lengths = [length for part in parts for length in part["acceptance_lengths"]]
    drafted = sum_columns(part["drafted_by_depth"] for part in parts)
    accepted = sum_columns(part["accepted_by_depth"] for part in parts)
    rates = [yes / tried for yes, tried in zip(accepted, drafted, strict=True)]
    return {"mean": float(np.mean(lengths)) if lengths else 1.0, "rate_by_depth": rates}


def _oracle(samples: Sequence[Sample]) -> float | None:
    """Return the reference's tokens per forward if every draft were right; None for decoders without drafts."""
    if any(sample["oracle_nfe"] is None for sample in samples):
        return None
    return sum(sample["reference"]["tokens_total"] for sample in samples) / sum(
        sample["oracle_nfe"] for sample in samples
    )


def _identity(samples: Sequence[Sample]) -> Identity:
    divergences = [sample["first_divergence"] for sample in samples if not sample["identical"]]
    orders = [sample["order_divergence"]["class"] for sample in samples if sample["order_divergence"]]
    numeric = sum(divergence["class"] == "numeric" for divergence in divergences)
    identical = len(samples) - len(divergences)
    return {
        "rate": identical / len(samples),
        "identical": identical,
        "numeric": numeric,
        "algorithmic": len(divergences) - numeric,
        "same_commit_order": sum(sample["same_commit_order"] for sample in samples) / len(samples),
        "other_order": {"numeric": orders.count("numeric"), "algorithmic": orders.count("algorithmic")},
    }
