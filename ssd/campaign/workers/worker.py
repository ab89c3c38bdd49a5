"""What a worker does: it holds one model on one device, and measures the pieces of runs that it is sent."""

from __future__ import annotations

import pickle
import socket
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from ssd.config.plan import Plan
from ssd.config.runtime import DTYPES
from ssd.measure.timing import Known, Question
from ssd.modeling.checkpoint import load_tokenizer, resolve
from ssd.results import environment
from ssd.run.device_lock import DeviceHeldError, device_lock
from ssd.run.loading import Models, Start, open_bench
from ssd.run.session import Bench, Measured


class Assignment(NamedTuple):
    """What a worker must know of a run. plan: without its documents, which come with the questions."""

    run_id: str
    plan: Plan
    start: Start
    circumstances: dict[str, Any]

    @classmethod
    def of(cls, plan: Plan, run_id: str, start: Start, circumstances: dict[str, Any]) -> Assignment:
        return cls(run_id, replace(plan, documents=[], tracker=None), start, circumstances)


class Done(NamedTuple):
    """What questions gave, and what the bench measured before the first of them."""

    found: list[Measured]
    measured: dict[str, Any]


class Failed(NamedTuple):
    """An ordinary error: it ends the run, not the worker."""

    error: Exception
    traceback: str


class RemoteTraceback(Exception):  # noqa: N818  (the cause of an error, as the worker saw it)
    """A worker's traceback, as text."""


class Busy(NamedTuple):
    """The device is measured on by others, as `message` says."""

    message: str


class Replica:
    """Keeps its model while the runs it is sent ask for the same one, and its bench while they are the same run."""

    def __init__(self, threads: int) -> None:
        torch.set_num_threads(threads)
        self._models = Models()
        self._bench: Bench | None = None
        self._run_id: str | None = None

    def prepare(self, assignment: Assignment) -> None:
        """Load the model before the first piece comes; what goes wrong here goes wrong with the piece, and is told."""
        plan = assignment.plan
        with device_lock(plan.runtime.torch_device(), False, assignment.run_id, tell=None):
            path = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
            load_tokenizer(path)
            self._models.get(path, plan.runtime.torch_device(), DTYPES[plan.runtime.dtype], plan.runtime.numerics)

    def measure(
        self,
        assignment: Assignment,
        questions: Sequence[Question],
        known: Sequence[Known],
        measured: dict[str, Any],
        waits: bool,
    ) -> Done | Failed | Busy:
        """Lines for these questions.

        measured: what the run's first bench measured, if there was one; waits: whether for a device that others hold.
        """
        plan = assignment.plan
        try:
            tell = (lambda message: None) if waits else None
            with device_lock(plan.runtime.torch_device(), plan.runtime.timing, assignment.run_id, tell):
                bench = self._open(assignment, measured)
                return Done(bench.measure(questions, known), bench.measured())
        except DeviceHeldError as error:
            return Busy(str(error))
        except Exception as error:
            return Failed(_portable(error), traceback.format_exc())

    def _open(self, assignment: Assignment, measured: dict[str, Any]) -> Bench:
        """The bench of a run: this one's, or a new one on the same model if that is what it asks for."""
        if self._bench is not None and self._run_id == assignment.run_id:
            return self._bench
        self._close()
        plan = assignment.plan
        path = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
        device = plan.runtime.torch_device()
        found = {**environment.describe(device, path, plan.runtime.engine), "protection": plan.task.protection()}
        refuse_other_circumstances(assignment.circumstances, found)
        start = assignment.start._replace(model_path=path, measured=measured)
        self._bench = open_bench(self._models, plan, start, load_tokenizer(path))
        self._run_id = assignment.run_id
        return self._bench

    def _close(self) -> None:
        if self._bench is not None:
            self._bench.close()
            self._bench.plan.task.close()
            self._bench = self._run_id = None


def refuse_other_circumstances(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Raise ValueError if a worker is not what environment.json says of the run."""
    changed = environment.differences(expected, found)
    if changed:
        raise ValueError(
            f"a worker on {socket.gethostname()} is not like the machine that the run was started on "
            f"({'; '.join(changed)}); use workers on equal devices with this very checkout, or runtime.address=null"
        )


def _portable(error: Exception) -> Exception:
    """The error itself if it survives the way to another process, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever the error's own class raises; what it said goes on as text
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
