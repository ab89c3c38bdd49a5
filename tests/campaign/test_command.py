"""A sweep that is killed again and again ends with the very results of one that was left alone."""

import json
import multiprocessing
import os
import random
import runpy
import sys
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from ssd.run.device_lock import FOLDER_VARIABLE
from tests.checkpoints import write_tiny_checkpoint
from tests.data import REPOSITORY
from tests.effort import LONG

pytestmark = pytest.mark.slow

WORDS = (
    "-m", "decoder.depth=1,2,3", "model=llada_tiny", "runtime.limit=10", "runtime.threads=1",
    "runtime.traces=true", "runtime.predict=false", "generation.gen_length=16", "generation.block_length=8",
)  # fmt: skip
RUNS, RESPONSES = 3, 30
KILLS = 10 if LONG else 2
SIDES = ("reference", "decoder")
TIMINGS = ("latency_s", "time_s", "verifier_s", "model_s", "predicted_s")


def carry_out(folder: Path, words: list[str]) -> None:
    """`python run.py` with these words in that folder, in a process that has imported all it needs already."""
    os.chdir(folder)
    # Without a commit, somebody who edits the sources meanwhile cannot fail a test that resumes.
    os.environ |= {"GIT_DIR": os.devnull, FOLDER_VARIABLE: str(folder / "locks")}
    sys.argv = ["run.py", *words]
    with (folder / "said").open("a") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        runpy.run_path(str(REPOSITORY / "run.py"), run_name="__main__")


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Forks processes from one that has spent the seconds that importing takes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ssd.run.runner", "ssd.campaign.start", "ssd.tasks.tiny_math", "transformers"])
    return context


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    checkpoint = write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "llada", "llada")
    return [*WORDS, f"model.path={checkpoint}"]


def begin(processes: ForkServerContext, folder: Path, words: list[str]) -> ForkServerProcess:
    folder.mkdir(exist_ok=True)
    process = processes.Process(target=carry_out, args=(folder, words))
    process.start()
    return process


def end(process: ForkServerProcess, folder: Path) -> None:
    process.join()
    assert process.exitcode == 0, (folder / "said").read_text()


def stored_responses(results: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in results.glob("*/samples.jsonl"))


def kill_at_random(process: ForkServerProcess, results: Path, generator: random.Random) -> bool:
    """Kill it some responses and milliseconds later; False if it was over by then."""
    until = stored_responses(results) + generator.randint(0, 2)
    while process.exitcode is None and stored_responses(results) < until:
        time.sleep(0.002)
    time.sleep(generator.uniform(0, 0.1))
    is_running = process.exitcode is None
    process.kill()
    process.join()
    return is_running


def assert_nothing_is_torn(results: Path) -> None:
    """Whatever has its name is whole: all JSON, and every line but perhaps a last one."""
    for file in results.rglob("*.json"):
        json.loads(file.read_text())
    for file in results.rglob("*.jsonl"):
        for text in file.read_bytes().split(b"\n")[:-1]:
            json.loads(text)


def contents(results: Path) -> dict[str, object]:
    """Every file that a sweep leaves, timings and memory aside, by its path."""
    found: dict[str, object] = {}
    for file in sorted(results.rglob("*")):
        name = str(file.relative_to(results))
        if file.name == "samples.jsonl":
            found[name] = [without_timings(json.loads(text)) for text in file.read_text().splitlines()]
        elif file.name == "done.json" or file.parent.name == "traces":
            found[name] = json.loads(file.read_text())
        elif file.is_file():
            found[name] = None
    return found


def without_timings(line: dict) -> dict:
    sides = {side: {key: value for key, value in line[side].items() if key not in TIMINGS} for side in SIDES}
    return line | sides | {"peak_memory_mib": None}


def test_a_sweep_that_is_killed_again_and_again_ends_as_one_that_was_left_alone(processes, words, tmp_path):
    alone, killed, generator = tmp_path / "alone", tmp_path / "killed", random.Random(0)
    undisturbed = begin(processes, alone, words)
    kills = begun = 0
    while kills < KILLS:
        assert (begun := begun + 1) < 3 * KILLS, "the sweep is over too soon; make it longer"
        kills += kill_at_random(begin(processes, killed, words), killed / "results", generator)
        assert_nothing_is_torn(killed / "results")
    assert stored_responses(killed / "results") < RESPONSES, "the sweep was over before it was killed; make it longer"
    end(begin(processes, killed, words), killed)
    end(undisturbed, alone)
    expected = contents(alone / "results")
    assert sum(name.endswith("done.json") for name in expected) == RUNS
    assert contents(killed / "results") == expected
