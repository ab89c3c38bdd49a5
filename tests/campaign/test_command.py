"""Runs and sweeps that are killed, again and again, end with the very results of those that were left alone."""

import json
import random
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from tests.checkpoints import write_tiny_checkpoint
from tests.effort import LONG
from tests.lines import completed, folders, run_in, warm_processes
from tests.runs import lines_of

pytestmark = pytest.mark.slow

WORDS = (
    "-m", "decoder.depth=1,2,3", "model=llada_tiny", "runtime.limit=10", "runtime.threads=1",
    "runtime.traces=true", "runtime.predict=false", "generation.gen_length=16", "generation.block_length=8",
)  # fmt: skip
RUNS, RESPONSES = 3, 30
KILLS = 10 if LONG else 2
SIDES = ("reference", "decoder")
TIMINGS = ("latency_s", "time_s", "verifier_s", "model_s", "predicted_s")


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    return warm_processes()


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    checkpoint = write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "llada", "llada")
    return [*WORDS, f"model.path={checkpoint}"]


def begin(processes: ForkServerContext, folder: Path, words: list[str]) -> ForkServerProcess:
    folder.mkdir(exist_ok=True)
    process = processes.Process(target=run_in, args=(folder, words))
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


@pytest.mark.parametrize("torn", [b"", b'{"index": 2, "prompt_ids": [2, 3, 35'])
def test_a_killed_run_goes_on_where_it_was(processes, checkpoints, tmp_path, torn):
    words = completed(["runtime.limit=12", "generation.gen_length=32"], checkpoints["llada"])
    process, results = begin(processes, tmp_path / "run", words), tmp_path / "run" / "results"
    while stored_responses(results) < 2:
        assert process.exitcode is None, (tmp_path / "run" / "said").read_text()
        time.sleep(0.002)
    process.kill()
    process.join()
    (folder,) = folders(results)
    assert not (folder / "done.json").exists(), "the run was over before it was killed; make it longer"
    samples = folder / "samples.jsonl"
    kept = samples.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    samples.write_bytes(kept + torn)

    end(begin(processes, tmp_path / "run", words), tmp_path / "run")
    assert folder.name in (tmp_path / "run" / "said").read_text()
    assert samples.read_bytes().startswith(kept), "what was measured is kept as it was"
    assert [line["index"] for line in lines_of(folder)] == list(range(12))
    assert json.loads((folder / "done.json").read_text())["prompts"] == 12
    assert folders(results) == [folder]
