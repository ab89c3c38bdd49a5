"""From the lines of samples.jsonl to a summary: nothing here was measured that is not in the lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ssd.bench.accuracy import accuracy_difference, lengths, pass_at
from ssd.bench.hops import hops
from ssd.bench.samples import sum_columns, total_nfe
from ssd.bench.statistics import ratio_of_sums
from ssd.decoding.trace import KINDS

Sample = dict[str, Any]
SIDES: tuple[Literal["reference", "decoder"], ...] = ("reference", "decoder")


def summarise(
    config: Mapping[str, Any], run_id: str, reference: str, caveat: str | None, samples: Sequence[Sample]
) -> dict[str, Any]:
    """summary.json: means per response unless a name says otherwise; ratios are of sums, reference over decoder.

    A prompt has `runtime.repeats` responses. Intervals are over prompts, since responses to one prompt are alike; the
    speedup's is over the turns that the sides took, which are of many prompts in a batch.

    reference: what the decoder was compared with; caveat: why its claim to be lossless does not hold in this mode.
    """

    def total(side: str, value: Callable[[dict[str, Any]], float]) -> float:
        return float(sum(value(sample[side]) for sample in samples))

    def per_prompt(value: Callable[[dict[str, Any]], float]) -> dict[str, float]:
        return {side: total(side, value) / len(samples) for side in SIDES}

    def per_sum(upper: Callable[[dict[str, Any]], float], lower: Callable[[dict[str, Any]], float]) -> dict[str, float]:
        return {side: total(side, upper) / total(side, lower) for side in SIDES}

    prompts = together(samples, "index")
    turns = together(samples, "turn")
    latencies = {side: [sample[side]["latency_s"] for sample in samples] for side in SIDES}
    nfe = per_prompt(total_nfe)
    by_kind = {
        kind: total("decoder", lambda part, kind=kind: part["nfe"].get(kind, 0)) / len(samples) for kind in KINDS
    }
    return {
        "run_id": run_id,
        "status": "done",
        "prompts": len(prompts),
        "responses": len(samples),
        **{group: config[group]["name"] for group in ("decoder", "model", "task")},
        "compared_with": reference,
        "numerics": config["runtime"]["numerics"],
        "claims_lossless": config["decoder"]["lossless"] and caveat is None,
        "caveat": caveat,
        "speedup": ratio_of_sums(
            *([sum(sample[side]["time_s"] for sample in turn) for turn in turns] for side in SIDES)
        ),
        "nfe": {**nfe, "ratio": nfe["reference"] / nfe["decoder"], "by_kind": by_kind},
        "node_evaluations": per_prompt(lambda part: part["node_evaluations"]),
        "token_rows": per_prompt(lambda part: part["token_rows"]),
        "tokens_per_forward": per_sum(lambda part: part["tokens_total"], total_nfe),
        "responses_per_forward": per_sum(total_nfe, lambda part: part["forwards"]),
        "ms_per_forward": per_sum(
            lambda part: (part["time_s"] - part["verifier_s"]) * 1e3, lambda part: part["forwards"]
        ),
        "acceptance_length": _acceptance([sample["decoder"] for sample in samples]),
        "oracle_tokens_per_forward": _oracle(samples),
        "tokens_per_s": per_sum(lambda part: part["tokens_total"], lambda part: part["time_s"]),
        "verifier_s": per_prompt(lambda part: part["verifier_s"]),
        "tokens_total": per_prompt(lambda part: part["tokens_total"]),
        "tokens_useful": per_prompt(lambda part: part["tokens_useful"]),
        "latency_s": _percentiles(latencies["decoder"]),
        "reference_latency_s": _percentiles(latencies["reference"]),
        "identity": _identity(samples),
        "accuracy": per_prompt(lambda part: part["correct"]),
        "accuracy_strict": _accuracy_strict(samples),
        "accuracy_difference": accuracy_difference(*(_correct(prompts, side) for side in SIDES)),
        "pass_at": {
            str(k): {side: pass_at(k, _correct(prompts, side)) for side in SIDES}
            for k in range(1, config["runtime"]["repeats"] + 1)
        },
        "hops": hops(prompts, turns),
        "length": {side: lengths([sample[side] for sample in samples]) for side in SIDES},
        "peak_memory_mib": max(sample["peak_memory_mib"] for sample in samples),
        "predicted_speedup": _predicted(samples),
        "outside_model": _outside_model(samples),
    }


def together(samples: Sequence[Sample], key: Literal["index", "turn"]) -> list[list[Sample]]:
    """The lines of every prompt, or of every turn, in the order of their repeats."""
    groups: defaultdict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample[key]].append(sample)
    return [sorted(groups[value], key=lambda sample: sample["repeat"]) for value in sorted(groups)]


def _correct(prompts: Sequence[Sequence[Sample]], side: str) -> list[list[bool]]:
    """Which responses of every prompt are right."""
    return [[bool(sample[side]["correct"]) for sample in prompt] for prompt in prompts]


def _accuracy_strict(samples: Sequence[Sample]) -> dict[str, float] | None:
    """Shares that are right under the task's strict rule as well; None for a task without one."""
    strict = {side: [sample[side].get("correct_strict") for sample in samples] for side in SIDES}
    if any(verdict is None for verdicts in strict.values() for verdict in verdicts):
        return None
    return {side: sum(verdicts) / len(verdicts) for side, verdicts in strict.items()}


def _acceptance(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    lengths = [length for part in parts for length in part["acceptance_lengths"]]
    drafted = sum_columns(part["drafted_by_depth"] for part in parts)
    accepted = sum_columns(part["accepted_by_depth"] for part in parts)
    rates = [yes / tried for yes, tried in zip(accepted, drafted, strict=True)]
    return {"mean": float(np.mean(lengths)) if lengths else 1.0, "rate_by_depth": rates}


def _oracle(samples: Sequence[Sample]) -> float | None:
    """The reference's tokens over the forwards for them if every draft were right; None for decoders without drafts."""
    if any(sample["oracle_nfe"] is None for sample in samples):
        return None
    return sum(sample["reference"]["tokens_total"] for sample in samples) / sum(
        sample["oracle_nfe"] for sample in samples
    )


def _predicted(samples: Sequence[Sample]) -> float | None:
    """The speedup if a response took the time of its forwards alone, by the run's cost model."""
    predicted = {side: [sample[side]["predicted_s"] for sample in samples] for side in SIDES}
    if None in (*predicted["reference"], *predicted["decoder"]):
        return None
    return sum(predicted["reference"]) / sum(predicted["decoder"])


def _outside_model(samples: Sequence[Sample]) -> dict[str, float] | None:
    """The share of each side's time that is spent outside the forwards of the model and a verifier."""
    if any(sample[side]["model_s"] is None for side in SIDES for sample in samples):
        return None
    inside = {side: sum(sample[side]["model_s"] + sample[side]["verifier_s"] for sample in samples) for side in SIDES}
    return {side: 1 - inside[side] / sum(sample[side]["latency_s"] for sample in samples) for side in SIDES}


def _percentiles(latencies: Sequence[float]) -> dict[str, float]:
    return {f"p{rank}": float(np.percentile(latencies, rank)) for rank in (50, 90, 99)}


def _identity(samples: Sequence[Sample]) -> dict[str, Any]:
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
        "other_order": {name: orders.count(name) for name in ("numeric", "algorithmic")},
    }
