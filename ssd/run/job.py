"""One run from its first check to its summary: all of it but the model's part, which may be done elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from typing import TYPE_CHECKING, Any

import torch

from ssd.config.plan import Plan
from ssd.measure.timing import Known, Question
from ssd.metrics.summary import summarise
from ssd.modeling.checkpoint import load_tokenizer, read_config, resolve
from ssd.results import environment
from ssd.results.reference_cache import References, references_of
from ssd.results.store import RunFolder
from ssd.run.checks import check_model, check_samples, render_all
from ssd.run.loading import Start
from ssd.run.session import Measured
from ssd.tasks.prompts import sha256_of_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCHES = 4
"""How many batches' worth of prompts one side decodes before the other side takes its turn."""
DEFAULT_THREADS = torch.get_num_threads()


class Job:
    """A run's folder, its questions and its references. `open` first, `close` last."""

    start: Start
    tokenizer: PreTrainedTokenizerBase
    circumstances: dict[str, Any]
    todo: list[Question]
    """What is still to be measured."""
    finished: list[dict[str, Any]]
    """The lines of samples.jsonl."""

    def __init__(self, plan: Plan, workers: int = 0) -> None:
        """workers: how many decode its prompts; 0: this process does."""
        self.plan, self.folder, self.workers = plan, RunFolder(plan.results_dir, plan.config), workers
        self._held = ExitStack()
        self._references: dict[str, References] = {}

    def open(self) -> None:
        """Check everything before a forward is spent, lock the folder and read what an earlier run has left in it.

        Raises ValueError, OSError or SandboxError in one line; BlockingIOError if another process has the folder.
        """
        plan, runtime = self.plan, self.plan.runtime
        torch.set_num_threads(threads(plan))
        model_path = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
        self.tokenizer = load_tokenizer(model_path)
        model_config = check_model(plan, read_config(model_path))
        plan.decoder.check(plan.settings, model_config)
        if plan.decoder.needs_verifier and runtime.batch_size > 1:
            raise ValueError(
                f"runtime.batch_size={runtime.batch_size}: a verifier's forwards are not shared; pass "
                f"runtime.batch_size=1 for decoder={plan.config['decoder']['name']}"
            )
        prompts = render_all(plan, self.tokenizer, model_config)
        protection = plan.task.protection()
        if protection:
            print(f"{plan.task.name} runs what the model writes, inside {protection}")
        plan.task.rehearse(plan.documents[0])
        found = environment.describe(runtime.torch_device(), model_path, runtime.engine)
        self.circumstances = {**found, "protection": protection, "workers": self.workers}
        self._held.enter_context(self.folder.lock())
        self.finished = [] if plan.config["overwrite"] else self.folder.open(self.circumstances)
        check_samples(self.folder, self.finished, plan, prompts)
        done = {(sample["index"], sample["repeat"]) for sample in self.finished}
        questions = product(zip(plan.documents, prompts, strict=True), range(runtime.repeats))
        self.todo = [Question(*pair, repeat) for pair, repeat in questions if (pair[0].index, repeat) not in done]
        longest = Question(plan.documents[0], max(prompts, key=len), 0)
        measured = self.folder.kept() if self.finished else {}
        self.start = Start(model_path, longest, [len(prompt) for prompt in prompts], measured)
        self._references = references_of(plan, self.circumstances)

    def groups(self) -> list[Sequence[Question]]:
        """What is measured and stored together: a question, or so many that a batch is mostly full while they last."""
        batch_size = self.plan.runtime.batch_size
        size = 1 if batch_size == 1 else BATCHES * batch_size
        return [self.todo[start : start + size] for start in range(0, len(self.todo), size)]

    def begin(self, measured: dict[str, Any]) -> None:
        """Start to store, now that the model is loaded; measured: what the bench measured before the first prompt."""
        if self.plan.config["overwrite"]:  # only now that nothing stands in the way of measuring anew
            self.folder.clear()
            self.folder.open(self.circumstances)
        self.folder.keep(measured)

    def known(self, group: Sequence[Question]) -> list[Known]:
        """What need not be decoded again of each question: nothing where time is measured, in pairs."""
        if self.plan.runtime.timing:
            return [{} for _ in group]
        return [self._recall(question) for question in group]

    def keep(self, measured: Measured) -> None:
        """Store what one question gave: its references where others find them, its forwards, last its line."""
        line = measured.line
        for side, timed in measured.references.items():
            drifted = self._references[side].settle(line["prompt_sha256"], line["seed"], timed)
            line["reference_drift"] = line["reference_drift"] or drifted
        if measured.traces is not None:
            self.folder.write_trace(line["index"], line["repeat"], measured.traces)
        self.folder.append(line)
        self.finished.append(line)

    def finish(self) -> dict[str, Any]:
        """Write the summary and return it."""
        plan = self.plan
        caveat = plan.decoder.caveat(plan.settings)
        # Sums of floats depend on their order, and workers finish in any.
        lines = sorted(self.finished, key=lambda line: (line["index"], line["repeat"]))
        summary = summarise(plan.config, self.folder.run_id, str(plan.reference), caveat, lines)
        summary["compile_s"] = self.folder.kept().get("compile_s")
        self.folder.finish(summary)
        return summary

    def fail(self, error: Exception) -> None:
        """Leave error.json beside the samples, unless there is no folder, or it is done or another process's."""
        if self.folder.path.is_dir() and not self.folder.is_done and not isinstance(error, BlockingIOError):
            self.folder.fail(error)

    def close(self) -> None:
        """Let go of the folder, and end what the task has started."""
        self._held.close()
        self.plan.task.close()

    def unknown(self, group: Sequence[Question]) -> set[tuple[str, str, int]]:
        """The references that would have to be decoded for these questions, where they are shared with other runs."""
        if self.plan.runtime.timing:
            return set()
        places = [self._place(question) for question in group]
        stores = self._references.values()
        return {(str(store.path), *place) for store in stores for place in places if not store.has(*place)}

    def _recall(self, question: Question) -> Known:
        found = {side: store.find(*self._place(question)) for side, store in self._references.items()}
        return {side: timed for side, timed in found.items() if timed is not None}

    def _place(self, question: Question) -> tuple[str, int]:
        return sha256_of_ids(question.prompt), self.plan.settings.seed + question.repeat


def threads(plan: Plan) -> int:
    """CPU threads of whoever decodes: a worker has one unless more are asked for."""
    return plan.runtime.threads or (DEFAULT_THREADS if plan.runtime.in_process else 1)
