"""The built wheel, in an empty folder: it measures, reports and lists runs without the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.data import REPOSITORY

RUN = [
    "run", "decoder=ssd", "model=llada_tiny", "task=tiny_math", "runtime.limit=1", "runtime.predict=false",
    "runtime.threads=1", "runtime.warmup=0", "generation.gen_length=16", "generation.block_length=16",
]  # fmt: skip
COMMANDS = f"""
import sys
from ssd.cli import main
from ssd.report import write
write.FIGURES = write.FIGURES[:1]
sys.exit(main({RUN}) or main(["report"]) or main(["runs"]))
"""
"""Three commands in one process, and one figure of many: each spares seconds."""


@pytest.mark.slow
def test_a_wheel_measures_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip would call the same function of hatchling, in three processes more."""
    backend = pytest.importorskip("hatchling.build", reason="hatchling builds the wheel")
    monkeypatch.chdir(REPOSITORY)
    wheel = tmp_path / backend.build_wheel(str(tmp_path))
    site, here = tmp_path / "site", tmp_path / "here"
    zipfile.ZipFile(wheel).extractall(site)
    here.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "GIT_DIR"}
    environment |= {"PYTHONPATH": str(site), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    # a user's repository around everything
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, env=environment, check=True)

    # -P keeps the current folder off the path, where the checkout's own ssd/ could be.
    command = [sys.executable, "-P", "-c", COMMANDS]
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "samples and summary: results/ssd-llada_tiny-tiny_math-" in done.stdout
    (summary,) = here.glob("results/*/summary.json")
    assert json.loads(summary.read_text())["prompts"] == 1
    stored = json.loads((summary.parent / "environment.json").read_text())
    assert stored["commit"] is None
    assert stored["changes"], "a hash of the code stands in for the commit"
    said, _, listed = done.stdout.partition("1 finished runs")
    assert (here / "report" / "index.html").is_file()
    assert summary.parent.name in listed, said
