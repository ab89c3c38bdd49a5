"""summary.json, key by key. Needs no torch, so that a report can be made without it."""

from __future__ import annotations

from typing import TypedDict

from ssd.results.schema import Interval, OrderCorrelation, Pair


class Nfe(Pair):
    """Forwards per response, their ratio, and the decoder's by kind."""

    ratio: float
    by_kind: dict[str, float]


class Acceptance(TypedDict):
    """Tokens committed per verify forward, and accepted / drafted nodes at each depth."""

    mean: float
    rate_by_depth: list[float]


class Orders(TypedDict):
    """Number of equal responses that were committed in another order, by class."""

    numeric: int
    algorithmic: int


class Identity(TypedDict):
    """Number of responses by class; `rate` and `same_commit_order` are shares of all responses."""

    rate: float
    identical: int
    numeric: int
    algorithmic: int
    same_commit_order: float
    other_order: Orders


class AccuracyDifference(TypedDict):
    """The decoder's accuracy minus the reference's, with its 95 % interval and McNemar's exact test."""

    difference: float
    low: float
    high: float
    only_reference: int
    only_decoder: int
    mcnemar_p: float


# Written as a call, because `from` is a keyword.
Hop = TypedDict(
    "Hop",
    {
        "from": str,
        "to": str,
        "identity": float,
        "tokens": float,
        "accuracy": dict[str, float],
        "accuracy_difference": AccuracyDifference,
        "speedup": Interval | None,
    },
)
"""One link of the reference chain."""


class Length(TypedDict):
    """Shares of one side's responses: without an end token, with one, and without a token before it."""

    cut_off: float
    ended: float
    empty: float


class Speed(TypedDict):
    """Metrics of time and memory; all None after runtime.timing=false."""

    speedup: Interval | None
    ms_per_forward: Pair | None
    tokens_per_s: Pair | None
    verifier_s: Pair | None
    latency_s: dict[str, float] | None
    reference_latency_s: dict[str, float] | None
    peak_memory_mib: float | None
    predicted_speedup: float | None
    predicted_of_measured: Pair | None
    outside_model: Pair | None


class Summary(Speed):
    """summary.json: means per response unless a name says otherwise."""

    schema: int
    run_id: str
    status: str
    prompts: int
    responses: int
    turns: int
    decoder: str
    model: str
    task: str
    compared_with: str
    numerics: str
    claims_lossless: bool
    caveat: str | None
    cache_caveat: str | None
    nfe: Nfe
    node_evaluations: Pair
    token_rows: Pair
    tokens_per_forward: Pair
    responses_per_forward: Pair
    acceptance_length: Acceptance
    oracle_tokens_per_forward: float | None
    tokens_total: Pair
    tokens_useful: Pair
    tokens_cut: Pair
    identity: Identity
    order_correlation: dict[str, OrderCorrelation]
    accuracy: Pair
    accuracy_strict: Pair | None
    accuracy_difference: AccuracyDifference
    pass_at: dict[str, Pair]
    hops: list[Hop] | None
    length: dict[str, Length]
    reference_drift: int
    compile_s: float | None
