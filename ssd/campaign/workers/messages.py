"""The messages between a pool and its workers: a run as workers need it, and their answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ssd.config.plan import Plan
from ssd.run.decode_phase import Found
from ssd.run.loading import Start

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Assignment(NamedTuple):
    """A run as a worker needs it. plan: without its documents, which come with the questions."""

    run_id: str
    plan: Plan
    start: Start
    tokenizer: PreTrainedTokenizerBase
    circumstances: dict[str, Any]

    @classmethod
    def of(
        cls, plan: Plan, run_id: str, start: Start, tokenizer: PreTrainedTokenizerBase, circumstances: dict[str, Any]
    ) -> Assignment:
        return cls(run_id, replace(plan, documents=[], tracker=None), start, tokenizer, circumstances)


class Decoded(NamedTuple):
    """Answer to a piece of the first phase; `measured` is the contents of measured.json."""

    found: list[Found]
    measured: dict[str, Any]


class Audited(NamedTuple):
    """Answer to a piece of the second phase: lines of samples.jsonl."""

    lines: list[dict[str, Any]]


class Failed(NamedTuple):
    """An ordinary error: it ends the run, not the worker."""

    error: Exception
    traceback: str


class RemoteTraceback(Exception):  # noqa: N818  (the cause of an error, as the worker saw it)
    """A worker's traceback, as text."""


class Busy(NamedTuple):
    """The device is held by other processes, as `message` says."""

    message: str


Answer = Decoded | Audited | Failed | Busy
