"""One run from its first check to its summary, without the model's part, which workers may do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from typing import TYPE_CHECKING, Any

import torch

from ssd.config.plan import Plan
from ssd.decoding.cache_policy import POLICIES
from ssd.measure.timing import Question
from ssd.metrics.summary import summarise
from ssd.modeling.checkpoint import resolve
from ssd.results import environment
from ssd.results.reader import place_of
from ssd.results.records import Response
from ssd.results.store import RunFolder
from ssd.run.checks import check_scoring, check_stored, prepare
from ssd.run.decode_phase import Found
from ssd.run.loading import Start
from ssd.run.shared_references import SharedReferences

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCHES = 4
"""Batches of prompts that one side decodes before the other side takes its turn."""
DEFAULT_THREADS = torch.get_num_threads()


class Job:
    """A run's folder, its questions and its references. `open` first, `close` last."""

    start: Start
    tokenizer: PreTrainedTokenizerBase
    circumstances: dict[str, Any]
    questions: list[Question]
    """All questions of the run, in order."""
    finished: list[dict[str, Any]]
    """The lines of samples.jsonl."""
    references: SharedReferences

    def __init__(self, plan: Plan, folder: RunFolder, workers: int = 0) -> None:
        """workers: number of workers that decode its prompts; 0: this process does."""
        self.plan, self.folder, self.workers = plan, folder, workers
        self._held = ExitStack()

    def open(self) -> None:
        """Check everything before a forward is spent, lock the folder and read what an earlier run has left in it.

        Raises ValueError, OSError or SandboxError in one line; BlockingIOError if another process has the folder.
        """
        plan, runtime, folder = self.plan, self.plan.runtime, self.folder
        torch.set_num_threads(threads(plan))
        model_path = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
        self.tokenizer, _, prompts = prepare(plan, model_path)
        protection = check_scoring(plan)
        found = environment.describe(runtime.torch_device(), model_path, runtime.engine)
        self.circumstances = {**found, "protection": protection, "workers": self.workers}
        self._held.enter_context(folder.lock())
        is_new = plan.config["overwrite"]
        self.finished = [] if is_new else folder.open(self.circumstances)
        responses = [] if is_new else folder.responses.open()
        for name, stored in (("samples.jsonl", self.finished), ("responses.jsonl", responses)):
            check_stored(folder.path / name, stored, plan, prompts)
        pairs = product(zip(plan.documents, prompts, strict=True), range(runtime.repeats))
        self.questions = [Question(*pair, repeat) for pair, repeat in pairs]
        longest = Question(plan.documents[0], max(prompts, key=len), 0)
        measured = folder.kept() if self.finished or responses else {}
        self.start = Start(model_path, longest, [len(prompt) for prompt in prompts], measured)
        self.references = SharedReferences(plan, self.circumstances)

    def to_decode(self) -> list[Question]:
        """Return the questions that have no stored response yet."""
        return [question for question in self.to_audit() if question.place not in self.folder.responses]

    def to_audit(self) -> list[Question]:
        """Return the questions that have no line in samples.jsonl yet."""
        done = set(map(place_of, self.finished))
        return [question for question in self.questions if question.place not in done]

    def groups(self, questions: Sequence[Question]) -> list[Sequence[Question]]:
        """Return the questions in groups that go together: one, or enough of them to keep a batch mostly full."""
        batch_size = self.plan.runtime.batch_size
        size = 1 if batch_size == 1 else BATCHES * batch_size
        return [questions[start : start + size] for start in range(0, len(questions), size)]

    def begin(self, measured: dict[str, Any]) -> None:
        """Start to store, now that the model is loaded; `measured` becomes measured.json."""
        if self.plan.config["overwrite"]:  # only now can nothing prevent measuring anew
            self.folder.clear()
            self.folder.open(self.circumstances)
        self.folder.keep(measured)
        self.start = self.start._replace(measured=measured)

    def keep_response(self, found: Found) -> None:
        """Store a decoded question: its references, its traces, last its line of responses.jsonl."""
        response = self.references.add(found)
        if found.traces is not None:
            self.folder.write_trace(response.index, response.repeat, found.traces)
        self.folder.responses.append(response)

    def response(self, question: Question) -> Response:
        """Return the stored response to a question."""
        return self.folder.responses.read(question.place)

    def keep_line(self, line: dict[str, Any]) -> None:
        """Store an audited question: its line of samples.jsonl."""
        self.folder.append(line)
        self.finished.append(line)

    def finish(self) -> dict[str, Any]:
        """Write the summary and return it."""
        return store_summary(self.plan, self.folder, self.finished)

    def fail(self, error: Exception) -> None:
        """Write error.json beside the samples, unless the folder is missing, done or another process's."""
        if self.folder.path.is_dir() and not self.folder.is_done and not isinstance(error, BlockingIOError):
            self.folder.fail(error)

    def close(self) -> None:
        """Let go of the folder."""
        self._held.close()


def store_summary(plan: Plan, folder: RunFolder, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write the summary of all lines of a run, and mark the run as done; return the summary."""
    caveat = plan.decoder.caveat(plan.settings)
    # Sums of floats depend on their order, and workers finish in any.
    summary = summarise(plan.config, folder.run_id, str(plan.reference), caveat, sorted(lines, key=place_of))
    summary["compile_s"] = folder.kept().get("compile_s")
    summary["cache_caveat"] = POLICIES[plan.settings.cache].caveat
    folder.finish(summary)
    return summary


def threads(plan: Plan) -> int:
    """Return the number of CPU threads that decode: one in a worker, unless more are asked for."""
    return plan.runtime.threads or (DEFAULT_THREADS if plan.runtime.in_process else 1)
