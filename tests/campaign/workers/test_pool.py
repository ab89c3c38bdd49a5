"""Runs through two workers: the lines of one process, none lost and none twice, whoever dies meanwhile."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from ssd.campaign.dispatch import run
from ssd.campaign.workers import pool as workers
from ssd.campaign.workers.pool import Outcome, Pool
from ssd.config.plan import Plan, make_plan
from ssd.results.reference_cache import FOLDER
from ssd.results.run_id import run_id
from ssd.results.store import RunFolder
from ssd.run.device_lock import WAYS_OUT, device_lock
from tests.data import REPOSITORY
from tests.runs import composed, lines_of, short_words

pytestmark = pytest.mark.slow

WORKERS = ("runtime=ray", "runtime.workers=2")
UNTIMED = "runtime.timing=false"
PLANTED = ("decoder=stepwise", "decoder.lossless=true")


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    """Two workers on a Ray of the tests' own, which knows the tests' modules and has room for a third."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": str(REPOSITORY),
            "GIT_DIR": os.devnull,
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }.items():
            patch.setenv(name, value)
        import ray

        ray.init("local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="error")
        try:
            with Pool() as pool:
                yield pool
        finally:
            ray.shutdown()


@pytest.fixture
def planned(checkpoints, tmp_path) -> Callable[..., Plan]:
    def call(*overrides: str, results: Path = tmp_path / "results") -> Plan:
        return make_plan(composed(*short_words(checkpoints["llada"], "llada", results), *overrides))

    return call


def finished(pool: Pool, *plans: Plan) -> list[Outcome]:
    """The outcomes of these runs, all of which were in the queue at once."""
    for plan in plans:
        pool.submit(plan)
    return pool.finish()[-len(plans) :]


def folder_of(plan: Plan) -> Path:
    return plan.results_dir / run_id(plan.config)


def test_workers_leave_what_one_process_leaves(pool, planned, tmp_path):
    words = (UNTIMED, "runtime.limit=5", "runtime.traces=true")
    grid = [(*words, f"decoder.depth={depth}") for depth in (2, 4)]
    plans = [planned(*words, *WORKERS) for words in grid]
    outcomes = finished(pool, *plans)
    alone = [planned(*words, results=tmp_path / "alone") for words in grid]
    for plan, outcome, other in zip(plans, outcomes, alone, strict=True):
        assert outcome.error is None
        assert outcome.summary == run(other), "the same id, the same figures"
        lines = sorted(lines_of(folder_of(plan)), key=lambda line: line["index"])
        assert lines == lines_of(folder_of(other))
        assert json.loads((folder_of(plan) / "environment.json").read_text())["workers"] == 2
        for file in (folder_of(other) / "traces").iterdir():
            assert json.loads((folder_of(plan) / "traces" / file.name).read_text()) == json.loads(file.read_text())
    (references,) = (tmp_path / "results" / FOLDER).glob("*/lines.jsonl")
    assert references.read_bytes().count(b"\n") == 5, "both runs have one reference"
    assert finished(pool, plans[0])[0].summary == outcomes[0].summary, "a finished run is not measured again"


def test_a_worker_that_is_killed_loses_and_doubles_nothing(pool, planned, tmp_path):
    log = tmp_path / "log"
    words = (UNTIMED, *PLANTED, "decoder._target_=tests.campaign.workers.planted.Logs", f"+decoder.log={log}")
    plan = planned(*words, *WORKERS, "runtime.limit=12", "+decoder.pause_s=0.2")
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            lines = log.read_text().splitlines() if log.is_file() else []
            if len(lines) >= 4:  # in the middle of a response, for most of the time is spent there
                killed.append(int(lines[-1].split()[0]))
                os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.01)

    killer = threading.Thread(target=kill)
    killer.start()
    (outcome,) = finished(pool, plan)
    killer.join()
    assert outcome.error is None
    assert sorted(line["index"] for line in lines_of(folder_of(plan))) == list(range(12))
    pids = {int(line.split()[0]) for line in log.read_text().splitlines()}
    assert len(pids) == 3, "another worker has taken its place"
    started = len(log.read_text().splitlines())
    assert 12 < started <= 12 + 2, "only what it had not answered was done again"


def test_a_worker_that_is_killed_while_it_audits_loses_and_doubles_nothing(pool, planned, tmp_path):
    log = tmp_path / "log"
    target = "decoder._target_=tests.campaign.workers.planted.DiesInAnAudit"
    plan = planned(UNTIMED, *PLANTED, *WORKERS, target, f"+decoder.log={log}", "runtime.limit=6")
    (outcome,) = finished(pool, plan)
    assert outcome.error is None
    assert sorted(line["index"] for line in lines_of(folder_of(plan))) == list(range(6))
    assert not (folder_of(plan) / "responses.jsonl").exists()
    audits = log.read_text().splitlines()
    assert len(set(audits)) >= 2
    assert 6 < len(audits) <= 6 + 2, "only what was not answered was audited again"


def test_what_fails_is_one_run_and_others_go_on(pool, planned, tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "MOST_DEATHS", 2)  # each takes seconds to come back
    lengths = [len(line["prompt_ids"]) for line in lines_of_reference(planned, tmp_path)]
    target = "decoder._target_=tests.campaign.workers.planted."
    words = (UNTIMED, *PLANTED, *WORKERS)
    fatal = planned(*words, f"{target}Kills", f"+decoder.length={lengths[1]}")
    wrong = planned(*words, f"{target}Raises")
    right = planned(UNTIMED, *WORKERS, "decoder.depth=3")
    of_fatal, of_wrong, of_right = finished(pool, fatal, wrong, right)
    assert of_right.error is None
    assert of_right.summary["prompts"] == 3
    assert str(of_fatal.error).startswith("2 workers died one after the other while they decoded document 1 (")
    assert isinstance(of_wrong.error, ValueError)
    assert str(of_wrong.error) == "planted: out of luck"
    for plan, name in ((fatal, "RuntimeError: 2 workers died"), (wrong, "ValueError: planted")):
        error = json.loads((folder_of(plan) / "error.json").read_text())
        assert error["error"].startswith(name)
        assert not (folder_of(plan) / "done.json").exists()
    assert "in decode\n" in error["traceback"], "as the worker saw it"


def lines_of_reference(planned, tmp_path) -> list[dict]:
    plan = planned(UNTIMED, "decoder=stepwise", results=tmp_path / "lengths")
    run(plan)
    return lines_of(folder_of(plan))


def test_a_timing_run_is_timed_by_one_worker_and_resumed(pool, planned, tmp_path):
    log = tmp_path / "log"
    words = (*PLANTED, "decoder._target_=tests.campaign.workers.planted.Logs", f"+decoder.log={log}")
    plan = planned(*words, *WORKERS, "runtime.predict=true", "runtime.limit=4")
    (outcome,) = finished(pool, plan)
    assert outcome.error is None
    assert outcome.summary["speedup"]["ratio"] > 0
    assert outcome.summary["predicted_speedup"] > 0
    assert len({line.split()[0] for line in log.read_text().splitlines()}) == 1, "cores are shared: nobody else works"
    measured = json.loads((folder_of(plan) / "measured.json").read_text())
    samples = folder_of(plan) / "samples.jsonl"
    content = samples.read_bytes().splitlines(keepends=True)
    samples.write_bytes(content[0] + content[1][:30])
    (folder_of(plan) / "done.json").unlink()
    (again,) = finished(pool, planned(*words, *WORKERS, "runtime.predict=true", "runtime.limit=4"))
    assert again.error is None
    assert samples.read_bytes().startswith(content[0])
    assert sorted(line["index"] for line in lines_of(folder_of(plan))) == [0, 1, 2, 3]
    assert json.loads((folder_of(plan) / "measured.json").read_text()) == measured


def test_a_device_that_others_time_on_is_waited_for_and_told_once(pool, planned, monkeypatch):
    held, told = ExitStack(), []

    def tell(bar, message) -> None:
        if "waits for it" in message:
            told.append(message)
            held.close()

    monkeypatch.setattr(workers.ProgressBar, "tell", tell)
    plan = planned(UNTIMED, *WORKERS)
    held.enter_context(device_lock(torch.device("cpu"), True, "a timing run"))
    (outcome,) = finished(pool, plan)
    assert outcome.summary["prompts"] == 3
    waiting = f"cpu is in use by process {os.getpid()} (a timing run); {run_id(plan.config)} waits for it"
    assert told == [f"{waiting}; {WAYS_OUT}"]


def test_work_that_a_worker_cannot_read_kills_none(pool, planned):
    finished(pool, planned(UNTIMED, *WORKERS))
    before = [actor.handle for actor in pool._actors.actors]
    target = "decoder._target_=tests.campaign.workers.planted.Unreadable"
    (outcome,) = finished(pool, planned(UNTIMED, *PLANTED, *WORKERS, target))
    assert str(outcome.error).startswith(
        "a worker cannot read its work: System error: No module named 'no_such_module'"
    )
    assert [actor.handle for actor in pool._actors.actors] == before


def test_a_damaged_reference_ends_the_runs_that_need_it_and_no_others(pool, planned, tmp_path):
    run(planned(UNTIMED))
    (damaged,) = (tmp_path / "results" / FOLDER).glob("*/lines.jsonl")
    damaged.write_text("{}\n")
    first, second = (planned(UNTIMED, *WORKERS, f"decoder.depth={depth}") for depth in (2, 3))
    right = planned(UNTIMED, *WORKERS, "generation.block_length=16")
    *wrong, of_right = finished(pool, first, second, right)
    assert of_right.error is None
    assert not (folder_of(right) / "error.json").exists()
    for plan, outcome in zip((first, second), wrong, strict=True):
        assert str(damaged) in str(outcome.error)
        assert str(damaged) in json.loads((folder_of(plan) / "error.json").read_text())["error"]


def test_a_whole_run_whose_summary_cannot_be_written_is_over(pool, planned, monkeypatch):
    run(planned(UNTIMED))
    plan = planned(UNTIMED, *WORKERS, "overwrite=false")
    (folder_of(plan) / "done.json").unlink()

    def full(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "finish", full)
        (outcome,) = finished(pool, plan)
    assert str(outcome.error) == "the disk is full"
    assert finished(pool, plan)[0].error is None, "and its folder is let go of"


def test_runs_that_need_other_workers_are_refused(pool, planned):
    finished(pool, planned(UNTIMED, *WORKERS))
    with pytest.raises(ValueError, match=r"is not what the workers of this sweep were started with"):
        pool.submit(planned(UNTIMED, *WORKERS, "runtime.threads=2"))


def test_the_runs_of_a_grid_share_a_worker_and_end_in_one_table(pool, line, tmp_path):
    """APD has no verifier here, which only its start on a worker can tell."""
    results = tmp_path / "results"
    status, output, errors = line(
        "-m", "runtime=ray", "runtime.workers=1", UNTIMED, "runtime.limit=4,4", "decoder=stepwise,ssd,apd",
        "model=llada_tiny", "model.verifier=missing", f"results_dir={results}",
    )  # fmt: skip
    finished = sorted(file.parent.name.partition("-")[0] for file in results.glob("*/done.json"))
    assert finished == ["ssd", "stepwise"], errors
    assert status == 1
    assert "2 runs of tiny_math" in output
    assert "Traceback" not in errors
    assert "another process" not in errors, "the same run in two jobs is one run"
    (listed,) = [text for text in errors.splitlines() if text.startswith("  apd")]
    assert "missing" in listed
    (shared,) = (results / FOLDER).glob("stepwise-*/lines.jsonl")
    assert len(shared.read_text().splitlines()) == 4
