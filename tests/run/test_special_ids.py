"""Mask and end ids of config.json, generation_config.json, tokenizer and YAML: they agree, or the remedy mends them.

Every refusal comes before weights are loaded, in one line, from `ssd.load` and from run.py alike.
"""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

import ssd
from ssd.config.model_words import plain_words
from ssd.config.plan import make_plan
from ssd.paths import CONF
from ssd.run.checks import prepare

BOTH_FILES = "write the right id into both files, or take both from the model's Hub page"


@pytest.fixture
def folder(checkpoints, tmp_path: Path) -> Path:
    """A checkpoint without weights: a check that comes late fails on that."""
    copied = shutil.copytree(checkpoints["llada"], tmp_path / "model")
    (copied / "model.safetensors").unlink()
    return copied


def edit(file: Path, **values: Any) -> None:
    stored = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(stored | values))


def checked(*words: str) -> None:
    """What run.py does with these words before it loads weights."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", overrides=plain_words([*words, "task=tiny_math", "runtime.limit=1"]))
    plan = make_plan(composed)
    prepare(plan, Path(plan.config["model"]["path"]))


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (each test looks at the text)
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def loads(folder: Path, **options: Any) -> None:
    """Every check of `ssd.load` passes: only the weights are missing."""
    with pytest.raises(FileNotFoundError, match="safetensors"):
        ssd.load(options.pop("name", str(folder)), device="cpu", **options)


@pytest.mark.parametrize(
    ("file", "wrong", "right"),
    [
        ("config.json", {"mask_token_id": 2}, {"mask_token_id": 1}),
        ("generation_config.json", {"mask_token_id": 2}, {"mask_token_id": 1}),
        ("generation_config.json", {"eos_token_id": 3}, {"eos_token_id": [3, 0]}),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"5": {"content": "<|mask|>"}}},
            {"added_tokens_decoder": {"1": {"content": "<|mask|>"}}},
        ),
    ],
)
def test_files_of_a_checkpoint_that_disagree(folder: Path, file: str, wrong: dict, right: dict) -> None:
    edit(folder / file, **wrong)
    for told in (refusal(ssd.load, str(folder), device="cpu"), refusal(checked, f"model={folder}")):
        assert told.endswith(BOTH_FILES)
        assert str(folder) in told
    edit(folder / file, **right)
    loads(folder)
    checked(f"model={folder}")


def test_a_preset_and_a_checkpoint_that_disagree(folder: Path) -> None:
    edit(folder / "config.json", eos_token_id=5)
    told = refusal(ssd.load, "llada_tiny", path=str(folder), device="cpu")
    assert told.endswith("load the folder without a preset")
    loads(folder)
    words = ["model=llada_tiny", f"model.path={folder}"]
    told = refusal(checked, *words)
    remedy = re.search(r"pass (.*) \(further end ids behind\)", told)
    assert remedy
    checked(*words, *shlex.split(remedy[1]))


def test_a_preset_and_a_tokenizer_that_disagree(folder: Path) -> None:
    """Both checks are one: a mask id that config.json and the command line have, and the tokenizer has not."""
    edit(folder / "config.json", mask_token_id=2)
    words = ["model=llada_tiny", f"model.path={folder}", "model.mask_id=2"]
    assert refusal(checked, *words) == refusal(ssd.load, str(folder), device="cpu")
    edit(folder / "config.json", mask_token_id=1)
    checked(*words[:2])
