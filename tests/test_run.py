"""run.py as a user runs it: a command line, its output and its exit status; one line in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data import REPOSITORY
from tests.lines import Line, completed, folders

RESULTS = Path("results")


def run_alone(folder: Path, words: list[str]) -> Line:
    """Return what run.py came to in a process of its own, offline."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(REPOSITORY / "run.py"), *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Line(done.returncode, done.stdout, done.stderr)


def test_a_run_prints_its_table_and_says_where_its_results_are(line, tmp_path):
    words = ["decoder=ssd", "task=tiny_math", "runtime.limit=2"]
    status, output, errors = line(*words)
    assert status == 0, errors
    (folder,) = folders(RESULTS)
    summary = json.loads((folder / "summary.json").read_text())
    assert f"results/{folder.name}" in output.splitlines()[-1]
    rows = {cells[1].strip(): cells[2:4] for line in output.splitlines() if len(cells := line.split("│")) == 6}
    assert float(rows["speedup (wall clock)"][1]) == pytest.approx(summary["speedup"]["ratio"], abs=0.01)
    nfe = [float(cell) for cell in rows["NFE per response"]]
    assert nfe == [16.0, pytest.approx(summary["nfe"]["decoder"], abs=0.1)]
    assert rows["identity"][1].strip() == "100.0%"
    warnings = [line for line in output.splitlines() if line.startswith("WARNING")]
    # 16 random tokens rarely end.
    expected = ("have no end token", "intervals mean little")
    assert all(any(reason in line for reason in expected) for line in warnings), warnings
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"], "nothing else is left lying about"

    status, again, _ = line(*words)
    assert status == 0
    assert "is finished" in again
    assert output.splitlines()[-3:] == again.splitlines()[-3:]


@pytest.mark.slow
def test_bad_input_ends_a_process_with_status_1_and_one_line(checkpoints, tmp_path):
    """It has no file, and offline nothing else."""
    status, output, errors = run_alone(tmp_path, completed(["task=gsm8k"], checkpoints["llada"]))
    assert status == 1
    assert output == ""
    assert errors.startswith("error: GSM8K's test split cannot be loaded from the Hub")
    assert errors.count("\n") == 1, errors


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generation.gen_length=100"], "generation.gen_length=100 is not divisible by generation.block_length=8"),
        (["decoder.depth=0"], "decoder.depth=0: expected auto or a whole number of at least 1"),
        (["decoder.budget=1"], "decoder.budget=1: expected null or at least 2 nodes"),
        (["decoder.builder=chain", "decoder.width=2"], "decoder.width=2, decoder.alternatives=False: a chain has one"),
        (["runtime.limit=-1"], "runtime.limit=-1: expected a whole number of at least 1 or null"),
        (["+generation.lenght=8"], "generation.lenght is not an option; expected one of gen_length"),
        (["model.path=./no/such/folder"], "model.path=./no/such/folder: no such folder; give a checkpoint's folder"),
        (["model.path=owner/name"], "model.path=owner/name"),
        (["task=gsm8k", "task.path=no.jsonl"], "task.path=no.jsonl does not exist; pass an existing file"),
        (["generation.gen_length=8192"], "tiny_math, document 0: a prompt of "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_that_says_what_to_change(line, monkeypatch, words, message):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    status, output, errors = line(*words)
    assert status == 1
    assert output == ""
    assert errors.startswith(f"error: {message}")
    assert "\n" not in errors.rstrip("\n"), errors


@pytest.mark.parametrize(("word", "available"), [("decoder=nope", "ssd stepwise"), ("task=nope", "gsm8k tiny_math")])
def test_a_choice_that_does_not_exist_lists_those_that_do(line, word, available):
    status, _, errors = line(word)
    assert status == 1
    assert f"{word}: expected one of " in errors
    assert set(available.split()) <= set(errors.replace(",", " ").split())
    assert "Traceback" not in errors


@pytest.mark.slow
def test_a_grid_runs_every_combination_and_ends_with_one_table(line):
    status, output, errors = line("-m", "decoder.depth=1,2", "runtime.limit=2")
    assert status == 0, errors
    assert "2 runs of tiny_math" in output
    rows = [row.split()[:2] for row in output.splitlines()]
    assert ["ssd", "1"] in rows
    assert ["ssd", "2"] in rows
    assert len(folders(RESULTS)) == 2
    depths, forwards = [], []
    for folder in sorted(folders(RESULTS), key=lambda folder: (folder / "config.yaml").read_text()):
        assert (folder / "done.json").is_file()
        depths.append(next(line for line in (folder / "config.yaml").read_text().splitlines() if "  depth:" in line))
        forwards.append(json.loads((folder / "summary.json").read_text())["nfe"]["decoder"])
    assert depths == ["  depth: 1", "  depth: 2"]
    assert forwards[1] <= forwards[0] < 16
