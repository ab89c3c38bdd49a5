"""One run: everything is checked; every prompt is decoded and timed; then every response is audited and scored."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from ssd.config.plan import Plan
from ssd.modeling.checkpoint import local_folder
from ssd.results import environment
from ssd.results.store import RunFolder
from ssd.results.summary_schema import Summary
from ssd.run.audit_phase import AuditPhase
from ssd.run.decode_phase import DecodePhase
from ssd.run.device_lock import device_lock
from ssd.run.job import Job, store_summary, threads
from ssd.run.loading import Loaded, Models, load_run
from ssd.run.progress import AUDITED, DECODED, ProgressBar

MODELS = Models()
"""The model of this process's last run."""


def run(plan: Plan) -> dict[str, Any]:
    """Carry a plan out, resuming what an earlier run left; return the summary.

    A finished run is returned as stored. A failed one leaves error.json beside its samples and raises.
    """
    folder = RunFolder(plan.results_dir, plan.config)
    finished = stored_summary(plan, folder)
    if finished is not None:
        return finished
    job = Job(plan, folder)
    try:
        job.open()
        if job.to_audit():
            _measure(job)
        return job.finish()
    except Exception as error:
        job.fail(error)
        raise
    finally:
        job.close()


def stored_summary(plan: Plan, folder: RunFolder) -> dict[str, Any] | None:
    """Return the summary of a finished run, and print that it is one; None if there is something to measure."""
    summary = finished_summary(plan, folder)
    if summary is None:
        return None
    changed = changed_since(plan, folder)
    print(f"{folder.path} is finished; this is its summary (overwrite=true measures it anew)")
    if changed:
        print(f"NOTE: it was measured under other circumstances: {'; '.join(changed)}")
    return summary


def finished_summary(plan: Plan, folder: RunFolder) -> dict[str, Any] | None:
    """Return the summary of a finished run, made again from its samples if it is damaged.

    None if the run is not finished, or if some of its lines were deleted. Raises ValueError for a damaged line.
    """
    if not folder.is_done or plan.config["overwrite"]:
        return None
    if plan.config["repair"]:
        with folder.lock():
            folder.repair()
    if folder.stored() < len(plan.documents) * plan.runtime.repeats:
        return None
    try:
        summary = folder.read("summary.json")
        if Summary.__annotations__.keys() <= summary.keys():
            return summary
    except ValueError:
        pass
    with folder.lock():
        print(f"{folder.path / 'summary.json'} was damaged; it is made again from samples.jsonl")
        return store_summary(plan, folder, folder.samples())


def changed_since(plan: Plan, folder: RunFolder) -> list[str]:
    """Return the differences between a stored run's circumstances and those of now, as `old → new`.

    A checkpoint that is no folder here (of the Hub, or gone) counts as the same.
    """
    stored = folder.read("environment.json")
    checkpoint = local_folder(plan.config["model"]["path"])
    is_here = checkpoint is not None and (checkpoint / "config.json").is_file()
    now = environment.describe(plan.runtime.torch_device(), checkpoint if is_here else None, plan.runtime.engine)
    same = {} if is_here else {"checkpoint": stored.get("checkpoint")}
    return environment.differences(stored, {**now, **same, "threads": threads(plan)})


def _measure(job: Job) -> None:
    """Carry out both phases of a job in this process."""
    device, to_decode, loaded = job.plan.runtime.torch_device(), job.to_decode(), None
    with ProgressBar(DECODED, AUDITED) as bar:
        bar.expect_run(len(job.questions), len(job.questions) - len(to_decode), len(job.finished))
        if to_decode:
            with device_lock(device, job.plan.runtime.timing, job.folder.run_id):
                loaded = load_run(MODELS, job.plan, job.start, bar.tell)
                _decode(job, loaded, bar)
        with device_lock(device, False, job.folder.run_id):  # audits are not timed
            loaded = loaded or load_run(MODELS, job.plan, job.start, bar.tell)
            _audit(job, loaded._replace(start=job.start), bar)


def _decode(job: Job, loaded: Loaded, bar: ProgressBar) -> None:
    """Decode, time and store every question that has no response yet."""
    with closing(DecodePhase.open(loaded, bar.tell)) as phase:
        job.begin(phase.measured())
        bar.advance(DECODED)
        for group in job.groups(job.to_decode()):
            for found in phase.decode(group, job.references.known(group)):
                job.keep_response(found)
                bar.advance(DECODED, 1)


def _audit(job: Job, loaded: Loaded, bar: ProgressBar) -> None:
    """Audit, score and store every response that has no line in samples.jsonl yet."""
    with closing(AuditPhase(loaded, job.tokenizer)) as phase:
        bar.advance(AUDITED)
        for question in job.to_audit():
            job.keep_line(phase.line(question, job.response(question)))
            bar.advance(AUDITED, 1)
