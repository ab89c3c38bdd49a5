"""Loading: one file or many, dtypes, and an error of one line for each thing that can be wrong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import huggingface_hub.constants
import pytest
import torch
from huggingface_hub.errors import RepositoryNotFoundError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ssd.modeling import checkpoint
from ssd.modeling.checkpoint import HUB_FILES, load_model, read_config, resolve
from ssd.modeling.config import Family
from ssd.modeling.transformer import Transformer
from ssd.paths import ROOT
from tests.modeling.windows import random_canvas
from tests.models import random_transformer, write_checkpoint


@pytest.fixture
def transformer(family: Family) -> Transformer:
    return random_transformer(family)


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    """Apply `change` to the weights of a single-file checkpoint."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    # Written anew: the old file is still mapped by the tensors just read.
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors")


@pytest.mark.parametrize("shards", [1, 3])
def test_every_weight_arrives(transformer: Transformer, tmp_path: Path, shards: int) -> None:
    model = load_model(write_checkpoint(tmp_path, transformer, shards))
    loaded = dict(model.transformer.named_parameters())
    expected = dict(transformer.named_parameters())
    assert loaded.keys() == expected.keys()
    for name, weight in loaded.items():
        assert torch.equal(weight, expected[name]), name
        assert not weight.is_meta
        assert not weight.requires_grad
    assert not list(model.transformer.buffers())
    assert not model.transformer.training
    tokens = random_canvas(model.config)[None]
    logits = model.transformer.logits(tokens)  # weights lie otherwise in memory, so that sums may be in another order
    torch.testing.assert_close(logits, transformer.logits(tokens), rtol=0, atol=1e-9)


def test_matrices_lie_as_their_products_are_fastest(family: Family, tmp_path: Path) -> None:
    """On a CPU column after column in float32 and wider, row after row in 16 bits; what is looked up stays in rows."""
    folder = write_checkpoint(tmp_path, random_transformer(family))
    for dtype, columns in ((torch.float32, True), (torch.float64, True), (torch.bfloat16, False)):
        transformer = load_model(folder, dtype=dtype).transformer
        for matrix in (transformer.head.weight, transformer.layers[0].key.weight, transformer.layers[1].down.weight):
            assert (matrix.mT if columns else matrix).is_contiguous()
        assert transformer.embedding.weight.is_contiguous()


def test_stored_dtype_is_kept_and_another_one_is_converted_to(family: Family, tmp_path: Path) -> None:
    stored = random_transformer(family, dtype=torch.bfloat16)
    folder = write_checkpoint(tmp_path, stored)
    assert load_model(folder).dtype == torch.bfloat16
    model = load_model(folder, dtype=torch.float32)
    for name, weight in model.transformer.named_parameters():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, stored.get_parameter(name).float()), name


def test_a_models_device_becomes_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are recorded on the current device's stream."""
    folder, current = write_checkpoint(tmp_path, random_transformer("llada")), []
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    monkeypatch.setattr(checkpoint, "fill", lambda *arguments: None)
    for device in ("cuda:1", torch.device("cuda"), "cpu"):
        load_model(folder, device)
    assert current == [1, 0]


def test_loading_holds_no_second_copy(family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weight is allocated before its file is read, and no initialiser runs."""
    folder = write_checkpoint(tmp_path, random_transformer(family), shards=2)
    devices = []
    original = Transformer.__init__

    def spy(self: Transformer, *arguments: object) -> None:
        original(self, *arguments)
        devices.extend(weight.device.type for weight in self.parameters())

    monkeypatch.setattr(Transformer, "__init__", spy)
    load_model(folder)
    assert set(devices) == {"meta"}


def test_missing_weights(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer)
    first = sorted(load_file(folder / "model.safetensors"))[0]
    rewrite(folder, lambda weights: weights.pop(first))
    with pytest.raises(ValueError, match=rf": missing weight {first}; does config\.json belong to these files\?$"):
        load_model(folder)


def test_many_missing_weights_are_counted(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer)
    total = len(load_file(folder / "model.safetensors"))
    rewrite(folder, lambda weights: [weights.pop(name) for name in list(weights)[1:]])
    with pytest.raises(ValueError, match=rf"missing weight .* and {total - 5} more; does config\.json"):
        load_model(folder)


def test_unexpected_weight(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer)
    rewrite(folder, lambda weights: weights.update(stray=torch.zeros(1)))
    with pytest.raises(ValueError, match=": unexpected weight stray; does config"):
        load_model(folder)


def test_wrongly_shaped_weight(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer)
    name = next(key for key in load_file(folder / "model.safetensors") if "up_proj" in key)
    rewrite(folder, lambda weights: weights.update({name: weights[name][:-1].clone()}))
    with pytest.raises(ValueError, match=rf"weight {name} has shape \[63, 32\], config\.json asks for \[64, 32\]$"):
        load_model(folder)


def test_missing_shard(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer, shards=3)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"index\.json names model-00002-of-00003\.safetensors, which is missing"
    ):
        load_model(folder)


def test_index_and_shard_disagree(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer, shards=2)
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    name, shard = next(iter(content["weight_map"].items()))
    other = next(file for file in content["weight_map"].values() if file != shard)
    content["weight_map"][name] = other
    index.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"{other}: no weight {name}, although the index names this file"):
        load_model(folder)


@pytest.mark.parametrize("shards", [1, 2])
def test_a_file_cut_short(transformer: Transformer, tmp_path: Path, shards: int) -> None:
    folder = write_checkpoint(tmp_path, transformer, shards)
    file = sorted(folder.glob("*.safetensors"))[-1]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"a weight file is damaged \(.*\); was it downloaded in full\?$"):
        load_model(folder)


def test_no_weights(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer)
    (folder / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"neither model\.safetensors nor model\.safetensors\.index\.json"):
        load_model(folder)


def test_a_folder_is_found_absolute_or_relative_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve(str(tmp_path)) == tmp_path
    monkeypatch.chdir(tmp_path)
    assert resolve("ssd/modeling") == ROOT / "ssd" / "modeling"


@pytest.mark.parametrize("path", ["./nowhere", "/nowhere/at-all", "~/nowhere-at-all", "nowhere", "results/models/x"])
def test_a_folder_that_is_not_there(path: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"^model.path={path}: no such folder; give a checkpoint's folder or"):
        resolve(path)


def test_hub_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConnectionError) as caught:
        resolve("some-owner/some-model")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(
        "model.path=some-owner/some-model, revision None: not a local folder, and the Hub does not give"
    )
    assert "hf download some-owner/some-model" in message
    assert message.endswith("pass its folder as model.path=FOLDER")


def test_hub_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        response = SimpleNamespace(headers={}, request=None)
        raise RepositoryNotFoundError("404 Client Error\nRepository Not Found", response=response)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ConnectionError, match=r"^model.path=a/b, revision main: .*\(404 Client Error\); "):
        resolve("a/b", "main")


def test_hub_download_asks_for_data_files_of_the_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def download(path: str, **options: object) -> str:
        asked.update(options, path=path)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve("a/b", "abc123") == tmp_path
    assert asked == {"path": "a/b", "revision": "abc123", "allow_patterns": HUB_FILES}
    assert not any(pattern.endswith(".py") for pattern in HUB_FILES)


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        ("[1]", ValueError, "holds a list, expected an object"),
        ("{}", ValueError, "missing key weight_map"),
        ('{"weight_map": [1]}', ValueError, r"weight_map is \[1\], expected an object"),
        (
            '{"weight_map": {"norm": 5}}',
            ValueError,
            "weight_map: norm is 5, expected the name of a file in this f",
        ),
        ('{"weight_map": {"norm": ["a"]}}', ValueError, "expected the name of a file in this folder"),
        ('{"weight_map": {"norm": "inner"}}', ValueError, "names inner, which is a folder"),
        ('{"weight_map": {"norm"', ValueError, "not JSON"),
        ('{"weight_map": {}}', ValueError, "missing weight"),
        (POINTER, ValueError, "a Git LFS pointer instead of the file"),
    ],
)
def test_a_damaged_index(
    transformer: Transformer, tmp_path: Path, content: str, kind: type[Exception], reason: str
) -> None:
    folder = write_checkpoint(tmp_path, transformer)
    (folder / "inner").mkdir()
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(kind, match=reason) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["../outside/model.safetensors", "{outside}/model.safetensors", "..", "a/b", ""])
def test_an_index_that_names_files_outside_of_the_folder(tmp_path: Path, place: str) -> None:
    folder = write_checkpoint(tmp_path / "inside", random_transformer("llada"))
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.move(folder / "model.safetensors", outside)
    name = place.format(outside=outside)
    names = list(load_file(outside / "model.safetensors"))
    index = {"weight_map": dict.fromkeys(names, name)}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=rf"map: {names[0]} is '{name}', expected the name of a file in this f"):
        load_model(folder)
    (folder / "model.safetensors").symlink_to(outside / "model.safetensors")  # as in the Hub's own cache
    index = {"weight_map": dict.fromkeys(names, "model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    load_model(folder)


def test_a_git_lfs_pointer_in_the_place_of_weights(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, random_transformer("llada"), shards=2)
    (folder / "model-00002-of-00002.safetensors").write_text(POINTER)
    with pytest.raises(ValueError, match=r"00002\.safetensors: a Git LFS pointer .*; run `git lfs pull`"):
        load_model(folder)


def test_buffers_of_old_checkpoints_are_ignored(transformer: Transformer, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, transformer)
    buffers = {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.ones(4) for layer in range(2)}
    rewrite(folder, lambda weights: weights.update(buffers))
    loaded = load_model(folder).transformer.state_dict()
    assert all(torch.equal(weight, loaded[name]) for name, weight in transformer.state_dict().items())


def test_other_formats_name_the_way_to_convert(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, random_transformer("llada"))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"only pytorch_model\.bin; convert it: .*save_file"):
        load_model(folder)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"")
    for read in (read_config, load_model):
        with pytest.raises(FileNotFoundError, match=r"a LoRA adapter .*; merge it into its base model"):
            read(adapter)


def test_quantised_weights_are_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, random_transformer("llada"))
    rewrite(folder, lambda weights: weights.update({key: weight.to(torch.int8) for key, weight in weights.items()}))
    with pytest.raises(ValueError, match=r"is stored as int8; expected an unquantised checkpoint"):
        load_model(folder)
