"""Loading: presets, folders in the Hub's layout, and what is refused."""

import json
import shutil
import subprocess
import sys

import pytest
import torch

import ssd
from ssd.api.presets import read_preset
from ssd.paths import choices
from tests.data import REPOSITORY


def test_import_is_lazy():
    check = "import ssd, sys; assert not {'torch', 'pandas', 'hydra'} & set(sys.modules); assert 'load' in dir(ssd)"
    subprocess.run([sys.executable, "-c", check], cwd=REPOSITORY, check=True)


def test_every_name_is_there():
    assert [name for name in ssd.__all__ if not callable(getattr(ssd, name))] == []
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        getattr(ssd, "lode")  # noqa: B009 (a type checker would refuse ssd.lode)


def test_the_run_room_stays_a_package():
    from ssd.run import runner

    assert callable(ssd.run)
    assert ssd.run.runner is runner


def test_a_preset_by_name_and_by_path():
    model = ssd.load("llada_tiny", device="cpu")
    assert (model.name, model.special.mask_id, model.special.end_ids) == ("llada_tiny", 1, (0, 4))
    assert model.settings.gen_length == 64
    assert model.chat
    assert "<|im_start|>" in model.chat_template
    line = repr(model)
    assert line.startswith("LoadedModel('llada_tiny': llada, ")
    assert "float32 on cpu" in line
    assert "\n" not in line
    assert ssd.load("checkpoints/llada_tiny", device="cpu").name == "llada_tiny"


def test_every_preset_can_be_read():
    assert len(choices("model")) == 19
    presets = {name: read_preset(name) for name in choices("model")}
    assert presets["dream"].settings.ranking == "entropy"
    assert presets["llada"].settings.gen_length == 256
    assert [name for name, preset in presets.items() if not preset.chat] == ["dream_base", "llada_base"]


def test_a_folder_without_a_preset(checkpoints, family):
    folder = checkpoints[family]
    model = ssd.load(str(folder), device="cpu", dtype="float64")
    assert model.model.dtype == torch.float64
    assert (model.special.mask_id, model.special.end_ids) == (1, (0,))
    assert model.settings.ranking == ("entropy" if family == "dream" else "low_confidence")


@pytest.fixture
def copied(checkpoints, tmp_path):
    """A checkpoint whose files a test may change."""
    return shutil.copytree(checkpoints["llada"], tmp_path / "model")


def test_further_end_ids_come_from_generation_config(copied):
    (copied / "generation_config.json").write_text(json.dumps({"eos_token_id": [4, 0]}))
    assert ssd.load(str(copied), device="cpu").special.end_ids == (0, 4)


def test_disagreeing_ids_are_refused(copied):
    (copied / "generation_config.json").write_text(json.dumps({"eos_token_id": 3}))
    with pytest.raises(ValueError, match=r"end ids \[3\] disagree with config.json \(mask 1, EOS 0\)"):
        ssd.load(str(copied), device="cpu")
    (copied / "generation_config.json").unlink()
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"mask_token_id": 2}))
    with pytest.raises(ValueError, match=r"tokenizer's mask id is 1, config\.json has 2"):
        ssd.load(str(copied), device="cpu")
    with pytest.raises(ValueError, match=r"preset llada_tiny has mask id 1 and EOS 0, config\.json has 2 and 0"):
        ssd.load("llada_tiny", path=str(copied), device="cpu")


@pytest.mark.parametrize(
    ("name", "options", "kind", "line"),
    [
        ("lada_tiny", {}, FileNotFoundError, "no preset, no folder and no Hub id; the presets are diffucoder, dream"),
        ("llada_tiny", {"dtype": "int8"}, ValueError, "dtype='int8': expected one of float64"),
        ("llada_tiny", {"device": "tpu"}, ValueError, "device=tpu: expected auto, cpu"),
        ("llada_tiny", {"path": "/no/such"}, FileNotFoundError, "path=/no/such: no such folder"),
    ],
)
def test_wrong_input_is_refused_in_one_line(name, options, kind, line):
    with pytest.raises(kind, match=line) as caught:
        ssd.load(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        ("config.json", "[]", r"config\.json: holds a list, expected an object"),
        (
            "config.json",
            '{"model_type": "llama"}',
            r"config\.json: model_type is 'llama', expected one of 'llada', 'Dream'",
        ),
        ("generation_config.json", '{"eos_token_id"', r"generation_config\.json: not JSON"),
        (
            "generation_config.json",
            '{"eos_token_id": "0"}',
            r"generation_config\.json: eos_token_id is '0', expected an id",
        ),
        (
            "model.safetensors.index.json",
            '{"weight_map": {"a": "../b"}}',
            r"weight_map: a is '\.\./b', expected the name",
        ),
        ("tokenizer.json", "version https://git-lfs.github.com/spec/v1\n", r"tokenizer\.json: a Git LFS pointer"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(copied, file, content, line):
    (copied / file).write_text(content)
    with pytest.raises(ValueError, match=line) as caught:
        ssd.load(str(copied), device="cpu")
    assert "\n" not in str(caught.value)
