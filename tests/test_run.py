"""run.py as a user runs it: a command line, its output, its exit status, and what a kill leaves behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ssd.results.reference_cache import FOLDER
from tests.checkpoints import write_tiny_checkpoint
from tests.data import REPOSITORY

pytestmark = pytest.mark.slow

SHORT = ["runtime.limit=2", "generation.gen_length=16", "generation.block_length=8"]
Run = Callable[..., subprocess.Popen]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "llada", "llada")


@pytest.fixture
def start(checkpoint: Path, tmp_path: Path) -> Run:
    """Starts run.py in an empty folder, offline, in a process group of its own."""
    # Without a commit, somebody who edits the sources meanwhile cannot fail a test that resumes.
    environment = os.environ | {"GIT_DIR": os.devnull, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

    def call(*words: str) -> subprocess.Popen:
        command = [sys.executable, str(REPOSITORY / "run.py"), *words]
        command += ["model=llada_tiny", "runtime.threads=1"]
        if not any(word.startswith("model.path=") for word in words):
            command.append(f"model.path={checkpoint}")
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return call


def finished(process: subprocess.Popen) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=120)
    return process.returncode, output, errors


def runs_in(folder: Path) -> list[Path]:
    """The runs that a line has left; the references that they share are none."""
    return [path for path in (folder / "results").iterdir() if path.is_dir() and path.name != FOLDER]


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def test_a_run_prints_its_table_and_says_where_its_results_are(start, tmp_path):
    status, output, errors = finished(start("decoder=ssd", "task=tiny_math", *SHORT))
    assert status == 0, errors
    (folder,) = runs_in(tmp_path)
    summary = json.loads((folder / "summary.json").read_text())
    assert f"results/{folder.name}" in output.splitlines()[-1]
    rows = {cells[1].strip(): cells[2:4] for line in output.splitlines() if len(cells := line.split("│")) == 6}
    assert float(rows["speedup (wall clock)"][1]) == pytest.approx(summary["speedup"]["ratio"], abs=0.01)
    nfe = [float(cell) for cell in rows["NFE per response"]]
    assert nfe == [16.0, pytest.approx(summary["nfe"]["decoder"], abs=0.1)]
    assert rows["identity"][1].strip() == "100.0%"
    warnings = [line for line in output.splitlines() if line.startswith("WARNING")]
    # 16 random tokens rarely end.
    expected = ("have no end token", "predicted_speedup is rough", "intervals mean little")
    assert all(any(reason in line for reason in expected) for line in warnings), warnings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"], "nothing else is left lying about"

    status, again, _ = finished(start("decoder=ssd", "task=tiny_math", *SHORT))
    assert status == 0
    assert "is finished" in again
    assert output.splitlines()[-3:] == again.splitlines()[-3:]


@pytest.mark.parametrize("torn", [b"", b'{"index": 2, "prompt_ids": [2, 3, 35'])
def test_a_killed_run_goes_on_where_it_was(start, tmp_path, torn):
    words = ["runtime.limit=12", "generation.gen_length=64", "generation.block_length=32"]
    process = start(*words)
    samples, deadline = None, time.monotonic() + 90
    while samples is None or samples.read_bytes().count(b"\n") < 2:
        assert process.poll() is None, finished(process)
        assert time.monotonic() < deadline
        samples = next((tmp_path / "results").glob("*/samples.jsonl"), None)
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    folder = samples.parent
    assert not (folder / "done.json").exists(), "the run was over before it was killed; make it longer"
    kept = samples.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    samples.write_bytes(kept + torn)

    status, output, errors = finished(start(*words))
    assert status == 0, errors
    assert folder.name in output
    assert samples.read_bytes().startswith(kept), "what was measured is kept as it was"
    assert [line["index"] for line in lines_of(folder)] == list(range(12))
    assert json.loads((folder / "done.json").read_text())["prompts"] == 12
    assert runs_in(tmp_path) == [folder]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generation.gen_length=100"], "generation.gen_length=100 is not divisible by generation.block_length=32"),
        (["decoder.depth=0"], "decoder.depth=0: expected auto or a whole number of at least 1"),
        (["decoder.budget=1"], "decoder.budget=1: expected null or at least 2 nodes"),
        (["decoder.builder=chain", "decoder.width=2"], "decoder.width=2, decoder.alternatives=False: a chain has one"),
        (["runtime.limit=-1"], "runtime.limit=-1: expected a whole number of at least 1 or null"),
        (["+generation.lenght=8"], "generation.lenght is not an option; expected one of gen_length"),
        (["model.path=./no/such/folder"], "model.path=./no/such/folder: no such folder; give a checkpoint's folder"),
        (["model.path=owner/name"], "model.path=owner/name"),
        (["task=gsm8k", "task.path=no.jsonl"], "task.path=no.jsonl does not exist; pass an existing file"),
        (["task=gsm8k"], "GSM8K's test split cannot be loaded from the Hub"),
        (
            ["generation.gen_length=8192", "generation.block_length=32"],
            "tiny_math, document 0: a prompt of ",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_that_says_what_to_change(start, words, message):
    status, output, errors = finished(start(*words))
    assert status == 1
    assert output == ""
    assert errors.startswith(f"error: {message}")
    assert errors.count("\n") == 1, errors


@pytest.mark.parametrize(("word", "available"), [("decoder=nope", "ssd stepwise"), ("task=nope", "gsm8k tiny_math")])
def test_a_choice_that_does_not_exist_lists_those_that_do(start, word, available):
    status, _, errors = finished(start(word))
    assert status == 1
    assert f"{word}: expected one of " in errors
    assert set(available.split()) <= set(errors.replace(",", " ").split())
    assert "Traceback" not in errors


def test_a_grid_runs_every_combination_and_ends_with_one_table(start, tmp_path):
    status, output, errors = finished(start("-m", "decoder.depth=1,2", *SHORT))
    assert status == 0, errors
    assert "2 runs of tiny_math" in output
    assert all(any(label in line for line in output.splitlines()[-6:]) for label in ("ssd depth=1", "ssd depth=2"))
    assert len(runs_in(tmp_path)) == 2
    depths, forwards = [], []
    for folder in sorted(runs_in(tmp_path), key=lambda folder: (folder / "config.yaml").read_text()):
        assert (folder / "done.json").is_file()
        depths.append(next(line for line in (folder / "config.yaml").read_text().splitlines() if "  depth:" in line))
        forwards.append(json.loads((folder / "summary.json").read_text())["nfe"]["decoder"])
    assert depths == ["  depth: 1", "  depth: 2"]
    assert forwards[1] <= forwards[0] < 16
