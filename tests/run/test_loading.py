"""The model that is kept between the runs of a grid, and what a finished run leaves on it: nothing."""

import json

import pytest
import torch

from ssd.run import loading
from ssd.run.loading import Models
from ssd.run.runner import MODELS
from tests.models import random_transformer, write_checkpoint


@pytest.fixture
def loads(monkeypatch) -> list[str]:
    """The folders of all models that are loaded."""
    folders: list[str] = []
    load = loading.load_model

    def watch(folder, *arguments):
        folders.append(folder.name)
        return load(folder, *arguments)

    monkeypatch.setattr(loading, "load_model", watch)
    return folders


def hooks(module: torch.nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules())


@pytest.mark.slow
def test_the_runs_of_a_grid_load_their_model_once_and_leave_no_hook(short_run, loads):
    for depth in (1, 2, 3):
        short_run("llada", f"decoder.depth={depth}")
        assert hooks(MODELS._model.transformer) == 0
    assert loads == ["llada"]
    short_run("dream")
    short_run("llada")
    assert loads == ["llada", "dream", "llada"]


def test_a_failed_run_leaves_no_hook_either(short_run):
    with pytest.raises(RuntimeError, match="every forward must leave one event"):
        short_run("llada", "decoder=stepwise", "decoder._target_=tests.planted.HidesAForward")
    assert hooks(MODELS._model.transformer) == 0


def test_another_arithmetic_is_another_model(checkpoints, loads):
    models, device = Models(), torch.device("cpu")
    first = models.get(checkpoints["llada"], device, torch.float32, "native")
    assert models.get(checkpoints["llada"], device, torch.float32, "locked") is first, "the same weights"
    assert models.get(checkpoints["llada"], device, torch.float32, "float64") is not first, "which converts its model"
    assert models.get(checkpoints["llada"], device, torch.float64, "native").dtype == torch.float64
    assert len(loads) == 3


def test_a_checkpoint_that_has_changed_is_loaded_again(checkpoints, loads, tmp_path):
    import shutil

    folder = shutil.copytree(checkpoints["llada"], tmp_path / "copy")
    models = Models()
    models.get(folder, torch.device("cpu"), torch.float32, "native")
    shutil.rmtree(folder)
    shutil.copytree(checkpoints["dream"], folder)
    assert models.get(folder, torch.device("cpu"), torch.float32, "native").config.family == "dream"


def test_a_block_causal_model_without_a_block_in_its_files_has_the_settings_block(tmp_path):
    folder = write_checkpoint(tmp_path / "model", random_transformer("sdar", causal_block=8))
    file = folder / "config.json"
    content = json.loads(file.read_text())
    models, device = Models(), torch.device("cpu")
    assert models.get(folder, device, torch.float32, "native", 8).config.causal_block == 8
    del content["block_size"]
    file.write_text(json.dumps(content))
    assert models.get(folder, device, torch.float32, "native", 16).config.causal_block == 16
    assert models.get(folder, device, torch.float32, "native").config.causal_block == 4, "the family's"
