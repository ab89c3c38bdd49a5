"""A worker: it holds one model on one device, and decodes or audits the pieces of runs that it is sent."""

from __future__ import annotations

import pickle
import socket
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import torch

from ssd.campaign.workers.messages import Answer, Assignment, Audited, Busy, Decoded, Failed
from ssd.config.plan import SOURCE, Plan
from ssd.config.runtime import DTYPES
from ssd.config.source import classes_of, source_files, source_of
from ssd.measure.timing import Known, Question
from ssd.modeling.checkpoint import resolve
from ssd.results import environment
from ssd.results.records import Response
from ssd.run.audit_phase import AuditPhase
from ssd.run.decode_phase import DecodePhase
from ssd.run.device_lock import DeviceHeldError, device_lock
from ssd.run.loading import Loaded, Models, load_run
from ssd.run.progress import silent

PhaseType = TypeVar("PhaseType", DecodePhase, AuditPhase)


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
            wanted = plan.runtime.torch_device(), DTYPES[plan.runtime.dtype], plan.runtime.numerics
            self._models.get(path, *wanted, plan.settings.causal_block)

    def decode(
        self,
        assignment: Assignment,
        measured: dict[str, Any],
        waits: bool,
        questions: Sequence[Question],
        known: Sequence[Known],
    ) -> Answer:
        """Decode questions. measured: of the run's first worker, {} for that one; waits: for a device that is held."""

        def work(loaded: Loaded) -> Answer:
            phase = self._enter(DecodePhase, lambda: DecodePhase.open(loaded))
            return Decoded(phase.decode(questions, known), phase.measured())

        return self._on_device(assignment, measured, waits, assignment.plan.runtime.timing, work)

    def audit(
        self,
        assignment: Assignment,
        measured: dict[str, Any],
        waits: bool,
        questions: Sequence[Question],
        responses: Sequence[Response],
    ) -> Answer:
        """Audit and score responses. measured, waits: as in `decode`."""

        def work(loaded: Loaded) -> Answer:
            run = loaded._replace(start=loaded.start._replace(measured=measured))
            phase = self._enter(AuditPhase, lambda: AuditPhase(run, assignment.tokenizer))
            return Audited([phase.line(*pair) for pair in zip(questions, responses, strict=True)])

        return self._on_device(assignment, measured, waits, False, work)

    def _enter(self, kind: type[PhaseType], open_it: Callable[[], PhaseType]) -> PhaseType:
        """Return the open phase; one of the other kind is closed first."""
        if not isinstance(self._phase, kind):
            self._close_phase()
            phase = self._phase = open_it()
            return phase
        return self._phase

    def _on_device(
        self,
        assignment: Assignment,
        measured: dict[str, Any],
        waits: bool,
        is_timed: bool,
        work: Callable[[Loaded], Answer],
    ) -> Answer:
        """Load the run and do its work while the device is locked, alone if it is timed."""
        try:
            tell = silent if waits else None
            with device_lock(assignment.plan.runtime.torch_device(), is_timed, assignment.run_id, tell):
                return work(self._load(assignment, measured))
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
        refuse_other_source(plan)
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


def refuse_other_source(plan: Plan) -> None:
    """Raise ValueError if the decoder's source on this machine differs from the run's."""
    kinds = classes_of(plan.decoder)
    if source_of(*kinds) != plan.config["decoder"][SOURCE]:
        files = ", ".join(map(str, source_files(*kinds).values()))
        raise ValueError(
            f"a worker on {socket.gethostname()} has another source of the decoder ({files}); copy the files of the "
            "machine that the run was started on, or pass runtime.address=null"
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
