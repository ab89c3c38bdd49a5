"""A worker: it holds one model on one device, and decodes or audits the pieces of runs that it is sent."""

from __future__ import annotations

import pickle
import socket
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ssd.config.plan import Plan
from ssd.config.runtime import DTYPES
from ssd.measure.timing import Known, Question
from ssd.modeling.checkpoint import resolve
from ssd.results import environment
from ssd.results.records import Response
from ssd.run.audit_phase import AuditPhase
from ssd.run.decode_phase import DecodePhase, Found
from ssd.run.device_lock import DeviceHeldError, device_lock
from ssd.run.loading import Loaded, Models, Start, load_run

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


class Worker:
    """Keeps its model while its runs ask for the same one, and its open phase while its pieces belong to it."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self._models = Models()
        self._loaded: tuple[str, Loaded] | None = None
        self._phase: DecodePhase | AuditPhase | None = None

    def prepare(self, assignment: Assignment) -> None:
        """Load the model before the first piece comes; an error here comes again with the piece, and is reported."""
        plan = assignment.plan
        with device_lock(plan.runtime.torch_device(), False, assignment.run_id, tell=None):
            path = _model_path(assignment)
            self._models.get(path, plan.runtime.torch_device(), DTYPES[plan.runtime.dtype], plan.runtime.numerics)

    def decode(
        self,
        assignment: Assignment,
        measured: dict[str, Any],
        waits: bool,
        questions: Sequence[Question],
        known: Sequence[Known],
    ) -> Answer:
        """Decode questions. measured: of the run's first worker, {} for that one; waits: for a device that is held."""

        def call() -> Answer:
            loaded = self._load(assignment, measured)
            if not isinstance(self._phase, DecodePhase):
                self._close_phase()
                self._phase = DecodePhase.open(loaded)
            return Decoded(self._phase.decode(questions, known), self._phase.measured())

        return self._on_device(assignment, assignment.plan.runtime.timing, waits, call)

    def audit(
        self,
        assignment: Assignment,
        measured: dict[str, Any],
        waits: bool,
        questions: Sequence[Question],
        responses: Sequence[Response],
    ) -> Answer:
        """Audit and score responses. measured, waits: as in `decode`."""

        def call() -> Answer:
            loaded = self._load(assignment, measured)
            if not isinstance(self._phase, AuditPhase):
                self._close_phase()
                start = loaded.start._replace(measured=measured)
                self._phase = AuditPhase(loaded._replace(start=start), assignment.tokenizer)
            return Audited([self._phase.line(*pair) for pair in zip(questions, responses, strict=True)])

        return self._on_device(assignment, False, waits, call)

    def _on_device(self, assignment: Assignment, is_timed: bool, waits: bool, call: Callable[[], Answer]) -> Answer:
        """Make the call while the device is locked, alone if it is timed."""
        try:
            tell = (lambda message: None) if waits else None
            with device_lock(assignment.plan.runtime.torch_device(), is_timed, assignment.run_id, tell):
                return call()
        except DeviceHeldError as error:
            return Busy(str(error))
        except Exception as error:
            return Failed(_portable(error), traceback.format_exc())

    def _load(self, assignment: Assignment, measured: dict[str, Any]) -> Loaded:
        """Return the run with its model: the last one, or a new one."""
        if self._loaded is not None and self._loaded[0] == assignment.run_id:
            return self._loaded[1]
        self._close_phase()
        self._loaded = None
        plan, path = assignment.plan, _model_path(assignment)
        with closing(plan.task) as task:
            protection = task.protection()
        found = environment.describe(plan.runtime.torch_device(), path, plan.runtime.engine)
        refuse_other_circumstances(assignment.circumstances, {**found, "protection": protection})
        start = assignment.start._replace(model_path=path, measured=measured)
        loaded = load_run(self._models, plan, start)
        self._loaded = assignment.run_id, loaded
        return loaded

    def _close_phase(self) -> None:
        if self._phase is not None:
            self._phase.close()
            self._phase = None


def refuse_other_circumstances(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Raise ValueError if a worker's circumstances differ from the run's environment.json."""
    changed = environment.differences(expected, found)
    if changed:
        raise ValueError(
            f"a worker on {socket.gethostname()} is not like the machine that the run was started on "
            f"({'; '.join(changed)}); use workers on equal devices with this very checkout, or runtime.address=null"
        )


def _model_path(assignment: Assignment) -> Path:
    """Return the checkpoint's folder: the run's own where this machine has it, else one of this machine."""
    if assignment.start.model_path.is_dir():
        return assignment.start.model_path
    model = assignment.plan.config["model"]
    return resolve(model["path"], model["revision"])


def _portable(error: Exception) -> Exception:
    """Return the error itself if it can be sent to another process, else one with the same message."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever the error's own class raises
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
