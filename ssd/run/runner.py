"""One run: everything is checked, then every prompt is measured and stored as it finishes, or was before."""

from __future__ import annotations

from typing import Any

from ssd.config.plan import Plan
from ssd.modeling.checkpoint import local_folder
from ssd.results import environment
from ssd.results.store import RunFolder
from ssd.run.device_lock import device_lock
from ssd.run.job import Job, threads
from ssd.run.loading import Models, open_bench
from ssd.run.progress import progress

MODELS = Models()
"""The model of this process's last run."""


def run(plan: Plan) -> dict[str, Any]:
    """Carry a plan out, resuming what an earlier run left; returns the summary.

    A finished run is returned as stored. A failed one leaves error.json beside its samples and raises.
    """
    finished = stored_summary(plan)
    if finished is not None:
        return finished
    job = Job(plan)
    try:
        job.open()
        if job.todo:
            _measure(job)
        return job.finish()
    except Exception as error:
        job.fail(error)
        raise
    finally:
        job.close()


def stored_summary(plan: Plan) -> dict[str, Any] | None:
    """The summary of a run that is finished; None if there is something to measure."""
    folder = RunFolder(plan.results_dir, plan.config)
    if not folder.is_done or plan.config["overwrite"]:
        return None
    changed = changed_since(plan)
    print(f"{folder.path} is finished; this is its summary (overwrite=true measures it anew)")
    if changed:
        print(f"NOTE: it was measured under other circumstances: {'; '.join(changed)}")
    return folder.read("summary.json")


def changed_since(plan: Plan) -> list[str]:
    """What differs between a stored run's circumstances and those it would be measured under now, as `old → new`.

    A checkpoint that is no folder here (of the Hub, or gone) counts as the same.
    """
    stored = RunFolder(plan.results_dir, plan.config).read("environment.json")
    checkpoint = local_folder(plan.config["model"]["path"])
    is_here = checkpoint is not None and (checkpoint / "config.json").is_file()
    now = environment.describe(plan.runtime.torch_device(), checkpoint if is_here else None, plan.runtime.engine)
    same = {} if is_here else {"checkpoint": stored.get("checkpoint")}
    return environment.differences(stored, {**now, **same, "threads": threads(plan)})


def _measure(job: Job) -> None:
    """Every question of a job, in this process."""
    plan = job.plan
    with device_lock(plan.runtime.torch_device(), plan.runtime.timing, job.folder.run_id):
        bench = open_bench(MODELS, plan, job.start, job.tokenizer)
        try:
            job.begin(bench.measured())
            with progress(len(job.finished) + len(job.todo), len(job.finished)) as advance:
                for group in job.groups():
                    for measured in bench.measure(group, job.known(group)):
                        job.keep(measured)
                        advance()
        finally:
            bench.close()
