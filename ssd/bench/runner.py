"""One run: everything is checked, then every prompt is measured and stored as it finishes, or was before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ssd.bench import environment
from ssd.bench.checks import check_model, check_samples, render_all
from ssd.bench.cost.model import CostModel, node_grid
from ssd.bench.measurement import Bench
from ssd.bench.metrics import summarise
from ssd.bench.numerics import with_numerics
from ssd.bench.plan import Plan
from ssd.bench.progress import progress
from ssd.bench.runtime import DTYPES
from ssd.bench.store import RunFolder
from ssd.bench.timing import Question, Stopwatch
from ssd.modeling.checkpoint import load_model, load_tokenizer, read_config, resolve
from ssd.modeling.dllm import MaskedDiffusionModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BATCHES = 4
"""How many batches' worth of prompts one side decodes before the other side takes its turn."""
DEFAULT_THREADS = torch.get_num_threads()


def run(plan: Plan) -> dict[str, Any]:
    """Carry a plan out, resuming what an earlier run left; returns the summary.

    A finished run is returned as stored. A failed one leaves error.json beside its samples and raises.
    """
    folder = RunFolder(plan.results_dir, plan.config)
    if folder.is_done and not plan.config["overwrite"]:
        stored, now = folder.read("environment.json"), environment.describe(plan.runtime.torch_device())
        changed = environment.differences(stored, {**now, "checkpoint": stored["checkpoint"]})
        print(f"{folder.path} is finished; this is its summary (overwrite=true measures it anew)")
        if changed:
            print(f"NOTE: it was measured under other circumstances: {'; '.join(changed)}")
        return folder.read("summary.json")
    try:
        return _measure(plan, folder)
    except BlockingIOError:  # the folder is another process's, and so is what it holds
        raise
    except Exception as error:
        if folder.path.is_dir():
            error.add_note(f"traceback: {folder.fail(error)}")
        raise
    finally:
        plan.task.close()


def _measure(plan: Plan, folder: RunFolder) -> dict[str, Any]:
    device = plan.runtime.torch_device()
    torch.set_num_threads(plan.runtime.threads or DEFAULT_THREADS)
    model_path = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
    tokenizer = load_tokenizer(model_path)
    model_config = check_model(plan, read_config(model_path))
    plan.decoder.check(plan.settings, model_config)
    if plan.decoder.asks_verifier and plan.runtime.batch_size > 1:
        raise ValueError(
            f"runtime.batch_size={plan.runtime.batch_size}: a verifier's forwards are not shared; pass "
            f"runtime.batch_size=1 for decoder={plan.config['decoder']['name']}"
        )
    prompts = render_all(plan, tokenizer, model_config)
    protection = plan.task.protection()
    if protection:
        print(f"{plan.task.name} runs what the model writes, inside {protection}")
    plan.task.rehearse(plan.documents[0])
    circumstances = {**environment.describe(device, model_path), "protection": protection}
    overwrite = plan.config["overwrite"]
    with folder.lock():
        finished = [] if overwrite else folder.open(circumstances)
        check_samples(folder, finished, plan, prompts)
        done = {(sample["index"], sample["repeat"]) for sample in finished}
        questions = product(zip(plan.documents, prompts, strict=True), range(plan.runtime.repeats))
        todo = [Question(*pair, repeat) for pair, repeat in questions if (pair[0].index, repeat) not in done]
        if todo:
            measured = folder.kept() if finished else {}
            bench = _load(plan, folder, model_path, tokenizer, prompts, measured)
            if overwrite:  # only now that nothing stands in the way of measuring anew
                folder.clear()
                folder.open(circumstances)
            folder.keep({**plan.decoder.measured(), "forwards": bench.cost.to_json() if bench.cost else None})
            with progress(len(done) + len(todo), len(done)) as advance:
                for group in groups(todo, plan.runtime.batch_size):
                    for line in bench.measure(group):
                        folder.append(line)
                        finished.append(line)
                        advance()
        summary = summarise(
            plan.config, folder.run_id, str(plan.reference), plan.decoder.caveat(plan.settings), finished
        )
        folder.finish(summary)
    return summary


def _load(
    plan: Plan,
    folder: RunFolder,
    model_path: Path,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[list[int]],
    measured: dict[str, Any],
) -> Bench:
    """Model and decoder, warmed up; `measured` is what the run measured before, if it is resumed."""
    model = load_model(model_path, plan.runtime.torch_device(), DTYPES[plan.runtime.dtype])
    model = with_numerics(model, plan.runtime.numerics, plan.reference, plan.decoder)
    plan.decoder.recall(measured)
    plan.decoder.load(model, model_path, plan.settings)
    stopwatch = Stopwatch.of(plan, model)
    stopwatch.warm_up(Question(plan.documents[0], max(prompts, key=len), 0))
    cost = cost_model(plan, model, prompts, measured.get("forwards"))
    return Bench(plan, folder, model, tokenizer, stopwatch, cost)


def cost_model(
    plan: Plan, model: MaskedDiffusionModel, prompts: Sequence[Sequence[int]], stored: dict[str, Any] | None
) -> CostModel | None:
    """What the run's forwards cost, as measured when it began, or now; None if nothing is to be predicted."""
    if not plan.runtime.predict or plan.runtime.batch_size > 1:
        return None
    if stored:
        return CostModel.from_json(stored)
    lengths, nodes = [len(prompt) for prompt in prompts], node_grid(plan.decoder.most_nodes)
    return CostModel.measure(model, plan.settings, plan.special, lengths, nodes)


def groups(questions: Sequence[Question], batch_size: int) -> list[Sequence[Question]]:
    """What is measured and stored together: one question, or so many that a batch is mostly full while they last."""
    size = 1 if batch_size == 1 else BATCHES * batch_size
    return [questions[start : start + size] for start in range(0, len(questions), size)]
