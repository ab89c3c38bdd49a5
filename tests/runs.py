"""Composed configurations and stored runs, as a user's command line makes them."""

import json
import pickle
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from ssd.modeling.config import Family
from ssd.results.reference_cache import FOLDER
from tests.checkpoints import PRESETS
from tests.data import REPOSITORY

PATHS = ("results_dir=/", "model.path=/")
"""Words whose values differ from test to test, and which choose no other file of conf/."""


def composed(*overrides: str) -> DictConfig:
    """What run.py is given for these words on its command line."""
    paths = [word for word in overrides if word.startswith(PATHS)]
    config: DictConfig = pickle.loads(_composed(tuple(word for word in overrides if word not in paths)))
    for word in paths:
        key, _, value = word.partition("=")
        OmegaConf.update(config, key, value)
    return config


@cache
def _composed(words: tuple[str, ...]) -> bytes:
    """Composing takes a while, most words come again, and a pickle is copied faster than a configuration."""
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        return pickle.dumps(compose("config", overrides=list(words)))


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
        "runtime.warmup=0",
        "generation.gen_length=16",
        "generation.block_length=8",
    ]


def only_folder(root: Path) -> Path:
    """The one run's folder, beside which the reference's responses may lie."""
    (folder,) = (path for path in root.iterdir() if path.name != FOLDER)
    return folder


def lines_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
