"""Weights that change in the middle of a file, at the same size and time: every user of the fingerprint notices."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from ssd.config.plan import make_plan
from ssd.run.loading import Models
from ssd.run.runner import MODELS
from tests.data import REPOSITORY
from tests.runs import composed, only_folder

TINY = REPOSITORY / "checkpoints"
SIGNS = 2**20
"""Bytes of the middle in which each 16-bit weight changes its sign."""


def negate_middle(folder: Path) -> None:
    """Negate weights in the middle of the file, in place, and set the time of the last change back."""
    file = folder / "model.safetensors"
    before = file.stat()
    with file.open("r+b") as content:
        content.seek(before.st_size // 4 * 2)
        weights = bytearray(content.read(SIGNS))
        weights[1::2] = bytes(byte ^ 0x80 for byte in weights[1::2])
        content.seek(before.st_size // 4 * 2)
        content.write(weights)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def llada(tmp_path: Path) -> Path:
    return shutil.copytree(TINY / "llada_tiny", tmp_path / "llada")


def words(folder: Path, tmp_path: Path) -> list[str]:
    return [f"model.path={folder}", f"results_dir={tmp_path / 'results'}", "runtime.limit=1", "runtime.timing=false"]


@pytest.mark.slow
def test_a_finished_run_names_its_checkpoint_and_a_begun_run_is_not_resumed(short_run, llada, tmp_path, capsys):
    short_run("llada", *words(llada, tmp_path))
    negate_middle(llada)
    capsys.readouterr()
    short_run("llada", *words(llada, tmp_path))
    assert "NOTE: it was measured under other circumstances: checkpoint: " in capsys.readouterr().out
    (only_folder(tmp_path / "results") / "done.json").unlink()
    with pytest.raises(ValueError, match="samples measured elsewhere"):
        short_run("llada", *words(llada, tmp_path))


@pytest.mark.slow
def test_old_responses_of_the_reference_are_not_shared(short_run, llada, tmp_path):
    short_run("llada", *words(llada, tmp_path), "decoder=stepwise")
    negate_middle(llada)
    MODELS.forget()
    summary = short_run("llada", *words(llada, tmp_path), "decoder=ssd")
    assert summary["identity"]["rate"] == 1


def test_the_kept_model_is_loaded_again(llada):
    models = Models()
    first = models.get(llada, torch.device("cpu"), torch.float32, "native")
    negate_middle(llada)
    second = models.get(llada, torch.device("cpu"), torch.float32, "native")
    weights = [dict(model.transformer.named_parameters()) for model in (first, second)]
    assert any(not torch.equal(weight, weights[1][name]) for name, weight in weights[0].items())


def test_another_verifier_is_another_run(tmp_path):
    verifier = shutil.copytree(TINY / "verifier_tiny", tmp_path / "verifier")
    plans = []
    for _ in range(2):
        plans.append(make_plan(composed("decoder=apd", f"model.verifier={verifier}", "runtime.limit=1")).config)
        negate_middle(verifier)
    assert plans[0]["decoder"]["fingerprints"] != plans[1]["decoder"]["fingerprints"]


def test_another_draft_graph_is_another_run(tmp_path):
    graph = Path(shutil.copy(TINY / "llada_tiny" / "draft_graph.json", tmp_path))
    text = graph.read_text()
    middle = text.index("0.", len(text) // 2) + 2
    plans = []
    for digit in "34":
        graph.write_text(text[:middle] + digit + text[middle + 1 :])
        plans.append(make_plan(composed("decoder=spiffy", f"decoder.graph={graph}", "runtime.limit=1")).config)
    assert plans[0]["decoder"]["fingerprints"] != plans[1]["decoder"]["fingerprints"]
