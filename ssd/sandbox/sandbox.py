"""The sandbox of a task: it takes programs and returns outcomes."""

from __future__ import annotations

import selectors
import time
from collections.abc import Sequence

from ssd.sandbox.errors import SandboxError
from ssd.sandbox.folder import LockedFolder
from ssd.sandbox.program import Limits, Outcome, Program
from ssd.sandbox.protections.protection import Protection, acceptable
from ssd.sandbox.worker import Worker

# Imports common modules, to test that the standard library is readable inside.
_PROBE = Program("import re, math\ndef probe(n):\n    return math.sqrt(n)", "assert probe(4) == 2", ("probe",))


class Sandbox:
    """Several judges, each with one program at a time, under the strongest protection that this machine offers.

    Raise SandboxError if none of the acceptable protections works. The judges end with the thread that makes the
    sandbox, however it ends.
    """

    def __init__(self, workers: int = 2, limits: Limits | None = None, allow_unsafe: bool = False) -> None:
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise ValueError(f"workers is {workers!r}; expected an integer of at least 1; pass workers=1 or more")
        self._limits = limits or Limits()
        self._temporary = LockedFolder()
        self.folder = self._temporary.name
        self._workers: list[Worker] = []
        try:
            self.protection = self._strongest_protection(allow_unsafe)
            for _ in range(workers - 1):
                self._workers.append(self._worker(self.protection))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def describe(self) -> str:
        """Return one line that names the protection and the limits."""
        limits = self._limits
        return (
            f"{self.protection.description}; limits: {limits.wall_s:g} s, {limits.cpu_s} s of processor time, "
            f"{limits.memory_mib} MiB of memory, {limits.file_mib} MiB of files and prints, {limits.answer_kib} KiB of "
            "answers"
        )

    def run(self, programs: Sequence[Program]) -> list[Outcome]:
        """Judge the programs and return their outcomes in the same order."""
        outcomes: list[Outcome | None] = [None] * len(programs)
        waiting = list(reversed(range(len(programs))))
        places: dict[Worker, int] = {}
        try:
            while waiting or places:
                for worker in self._workers:
                    if waiting and worker not in places:
                        places[worker] = waiting.pop()
                        worker.assign(programs[places[worker]])
                ready = _ready(list(places))
                for worker in list(places):
                    if worker in ready:
                        outcomes[places.pop(worker)] = worker.outcome()
                    elif worker.deadline_s is not None and worker.deadline_s < time.monotonic():
                        outcomes[places.pop(worker)] = worker.stuck()
        finally:
            for worker in places:
                # After an interruption, the judge's next answer would belong to this run.
                worker.replace()
        return [outcome for outcome in outcomes if outcome is not None]

    def close(self) -> None:
        """End the judges and remove the folder."""
        while self._workers:
            self._workers.pop().close()
        self._temporary.cleanup()

    def _strongest_protection(self, allow_unsafe: bool) -> Protection:
        """Return the first protection that works in a trial. Its judge becomes the first worker."""
        failures: list[str] = []
        for protection in acceptable(allow_unsafe):
            self._workers = [self._worker(protection)]
            try:
                (outcome,) = self.run([_PROBE])
            except SandboxError as error:
                failures.append(str(error))
            else:
                if outcome.passed:
                    return protection
                failures.append(f"{protection}: {outcome.reason}, {outcome.detail}")
            self._workers.pop().close()
        raise SandboxError(
            f"this machine cannot isolate generated code ({'; '.join(failures)}); expected Linux on x86_64 or "
            "aarch64 with user namespaces or Landlock; enable one of them, or accept the risk with "
            "task.allow_unsafe_code=true"
        )

    def _worker(self, protection: Protection) -> Worker:
        return Worker(protection, self._limits, self.folder)


def _ready(workers: Sequence[Worker]) -> list[Worker]:
    """Wait for an outcome or for the first deadline; return the workers that have an outcome."""
    deadline_s = min(worker.deadline_s for worker in workers if worker.deadline_s is not None)
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker, selectors.EVENT_READ, worker)
        return [key.data for key, _ in selector.select(max(0.0, deadline_s - time.monotonic()))]
