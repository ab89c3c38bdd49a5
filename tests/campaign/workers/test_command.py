"""A grid over workers, as a user starts it: its runs share them and end in one table, and a failure stops no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkpoints import write_tiny_checkpoint
from tests.data import REPOSITORY

pytestmark = pytest.mark.slow


def test_the_runs_of_a_grid_share_workers_and_end_in_one_table(tmp_path: Path):
    """APD has no verifier here, which only its start on a worker can tell."""
    checkpoint = write_tiny_checkpoint(tmp_path / "llada", "llada")
    words = [
        "-m", "runtime=ray", "runtime.workers=2", "runtime.timing=false", "runtime.limit=4,4", "runtime.threads=1",
        "decoder=stepwise,ssd,apd", "model=llada_tiny", f"model.path={checkpoint}", "model.verifier=missing",
        "generation.gen_length=16", "generation.block_length=8", "results_dir=results",
    ]  # fmt: skip
    environment = os.environ | {"GIT_DIR": os.devnull, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(REPOSITORY / "run.py"), *words]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    finished = sorted(file.parent.name.partition("-")[0] for file in (tmp_path / "results").glob("*/done.json"))
    assert finished == ["ssd", "stepwise"], ended.stderr
    assert ended.returncode == 1
    assert "2 runs of tiny_math" in ended.stdout
    assert "Traceback" not in ended.stderr
    assert "another process" not in ended.stderr, "the same run in two jobs is one run"
    (line,) = [text for text in ended.stderr.splitlines() if text.startswith("  apd")]
    assert "missing" in line
    (shared,) = (tmp_path / "results" / "references").glob("stepwise-*/lines.jsonl")
    assert len(shared.read_text().splitlines()) == 4
