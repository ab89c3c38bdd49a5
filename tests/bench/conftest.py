"""Random checkpoints, composed configurations and runs, as a user's command line makes them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from ssd.bench.plan import make_plan
from ssd.bench.references import FOLDER
from ssd.bench.runner import MODELS, run
from ssd.modeling.config import Family
from tests.checkpoints import PRESETS, write_tiny_checkpoint
from tests.data import REPOSITORY
from tests.models import FAMILIES


@pytest.fixture(autouse=True)
def _no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who edits the sources while tests run must not fail those that resume a run."""
    monkeypatch.setenv("GIT_DIR", os.devnull)


@pytest.fixture(autouse=True)
def _no_model() -> None:
    """Every test's first run loads its model."""
    MODELS.forget()


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {family: write_tiny_checkpoint(root / family, family) for family in FAMILIES}


def composed(*overrides: str) -> DictConfig:
    """What run.py is given for these words on its command line."""
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        return compose("config", overrides=list(overrides))


@pytest.fixture
def short_run(checkpoints: dict[Family, Path], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs the first three problems of tiny_math through a random model; returns the summary."""

    def call(family: Family, *overrides: str) -> dict[str, Any]:
        return run(make_plan(composed(*short_words(checkpoints[family], family, tmp_path), *overrides)))

    return call


def short_words(checkpoint: Path, family: Family, results: Path) -> list[str]:
    """The command line of a run that takes a fraction of a second."""
    return [
        f"model={PRESETS[family]}",
        f"model.path={checkpoint}",
        f"results_dir={results}",
        "runtime.dtype=float64",
        "runtime.limit=3",
        "runtime.threads=1",
        "runtime.predict=false",
        "generation.gen_length=16",
        "generation.block_length=8",
    ]


def only_folder(root: Path) -> Path:
    """The one run's folder, beside which the reference's responses may lie."""
    (folder,) = (path for path in root.iterdir() if path.name != FOLDER)
    return folder


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
