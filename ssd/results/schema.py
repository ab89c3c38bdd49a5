"""The files of a run's folder, key by key. Needs no torch, so that a report can be made without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

if TYPE_CHECKING:
    from ssd.decoding.trace import Kind

SCHEMA = 1
"""Number of this schema, stored in every line of samples.jsonl, in summary.json and in environment.json."""
MUST_MATCH = (
    "python", "libraries", "device", "device_name", "threads", "attention_backend", "commit", "changes", "checkpoint",
)  # fmt: skip
"""Values of environment.json in which all samples of a run agree."""
Verdict = Literal["numeric", "algorithmic"]


class Pair(TypedDict):
    """A metric of both sides."""

    reference: float
    decoder: float


class Interval(TypedDict):
    """A ratio with its 95 % interval; the ends are None for a single prompt."""

    ratio: float
    low: float | None
    high: float | None


class OrderCorrelation(TypedDict):
    """Rank correlation of position and time of commitment, -1 to 1."""

    within_blocks: float | None
    response: float | None


class Pick(TypedDict):
    """A committed token: `position` counts from the response's start."""

    position: int
    token: int
    confidence: float


# Written as a call, because `class` is a keyword.
Divergence = TypedDict(
    "Divergence",
    {
        "index": int | None,
        "step": int,
        "forward": int,
        "reference_pick": Pick | None,
        "decoder_pick": Pick | None,
        "token_margin": float | None,
        "position_margin": float | None,
        "tolerance": float,
        "near_tie": str | None,
        "one_by_one": bool | None,
        "float64": dict[str, Any] | None,
        "class": Verdict,
    },
)
"""The first difference from the reference; `ssd.audit.divergence.Divergence` explains the keys."""


class SideRecord(TypedDict):
    """One side's response. Seconds are None where nothing was timed; counts are sums over the response."""

    response_ids: list[int]
    text: str
    answer: Any
    correct: bool
    correct_strict: bool | None
    reason: str | None
    latency_s: float | None
    time_s: float | None
    verifier_s: float | None
    model_s: float | None
    predicted_s: float | None
    forwards: float
    nfe: dict[Kind, int]
    node_evaluations: int
    token_rows: int
    tokens_total: int
    tokens_useful: int
    tokens_cut: int
    acceptance_lengths: list[int]
    drafted_by_depth: list[int]
    accepted_by_depth: list[int]
    order_correlation: OrderCorrelation
    blocks_filled_by_refresh: int


class Sample(TypedDict):
    """A line of samples.jsonl; `uncached` is there in runs with runtime.reference=chain only."""

    schema: int
    index: int
    repeat: int
    turn: int
    seed: int
    prompt_ids: list[int]
    prompt_sha256: str
    target: Any
    reference: SideRecord
    decoder: SideRecord
    uncached: NotRequired[SideRecord]
    identical: bool
    same_commit_order: bool
    first_divergence: Divergence | None
    order_divergence: Divergence | None
    reference_drift: bool
    oracle_nfe: int | None
    peak_memory_mib: float | None


class Environment(TypedDict):
    """environment.json: everything outside the configuration that a result may depend on."""

    schema: int
    python: str
    platform: str
    libraries: dict[str, str | None]
    device: str
    device_name: str
    cuda: str | None
    threads: int
    attention_backend: str
    commit: str | None
    dirty: bool | None
    changes: str | None
    checkpoint: str | None
    protection: str | None
    workers: int


class Done(TypedDict):
    """done.json, the last file that a run writes."""

    run_id: str
    prompts: int


class Failure(TypedDict):
    """error.json: the first line of the error, and its traceback."""

    error: str
    traceback: str
