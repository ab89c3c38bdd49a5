"""Words that name a model: a folder, ids that YAML reads as numbers, values that need quotes, names with slashes."""

import json
import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

import ssd
from ssd.config.model_words import plain_words
from ssd.config.plan import make_plan
from ssd.paths import CONF
from ssd.results.store import RunFolder
from tests.data import REPOSITORY
from tests.models import random_transformer, write_checkpoint
from tests.runs import composed


def read(*words: str) -> DictConfig:
    """The configuration of these words, as run.py composes it."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=plain_words(words))


@pytest.mark.parametrize("text", ["1234567", "12e4567", "2024_01", "1e+5", "0123", "nan", "7.0"])
def test_an_id_of_digits_is_text(text: str) -> None:
    words = [f"model.revision={text}", f"++model.name={text}", f"results_dir={text}"]
    config = make_plan(read(*words, "runtime.limit=1")).config
    assert (config["model"]["revision"], config["model"]["name"], config["results_dir"]) == (text, text, text)


def test_a_number_of_a_file_is_text_and_other_numbers_are_refused() -> None:
    config = composed("runtime.limit=1")
    config.model.revision = 1234567
    assert make_plan(config).config["model"]["revision"] == "1234567"
    for value, reason in (
        (float("inf"), "YAML reads this name or id as a number; write it in quotes"),
        (True, "expected"),
    ):
        config.model.revision = value
        with pytest.raises(ValueError, match=f"^model.revision={value}: {reason}"):
            make_plan(config)


def test_words_of_a_grid_and_other_options_stay() -> None:
    assert plain_words(["model.revision=1e5,main,22"]) == ['model.revision="1e5",main,"22"']
    words = [
        "-m",
        "model=llada_tiny",
        "generation.temperature=1e-1",
        "model.path=a/1",
        "model.revision=null",
        "decoder=ssd",
    ]
    assert plain_words(words) == words


def test_a_folder_of_a_known_family(tmp_path: Path, family: str) -> None:
    folder = write_checkpoint(tmp_path / "my=own", random_transformer(family))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 62]}))
    model = read(f"model={folder}", "task=tiny_math").model
    assert (model.path, model.name, model.mask_id, list(model.end_ids)) == (str(folder), "my=own", 63, [62, 5])
    assert model.verifier == read(f"model={family}", "task=tiny_math").model.verifier
    own = read(f"model={folder}", "model.name=mine", "model.end_ids=[62]").model
    assert (own.name, list(own.end_ids), own.mask_id) == ("mine", [62], 63)


@pytest.mark.parametrize(
    ("tiny", "changes", "block_length", "sub_block_length"),
    [
        ("sdar_tiny", {}, 4, None),
        ("sdar_tiny", {"block_size": 16}, 16, None),
        ("fast_dllm_v2_tiny", {}, 32, 8),
        ("fast_dllm_v2_tiny", {"bd_size": 4}, 4, None),
    ],
)
def test_a_block_causal_folder_has_the_settings_of_its_family(
    tmp_path: Path, tiny: str, changes: dict, block_length: int, sub_block_length: int | None
) -> None:
    folder = shutil.copytree(REPOSITORY / "checkpoints" / tiny, tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    settings = ssd.load(str(folder), device="cpu").settings
    assert (settings.grid, settings.cache, settings.stop) == ("absolute", "exact", "eos_any")
    assert (settings.block_length, settings.sub_block_length) == (block_length, sub_block_length)
    plan = make_plan(read(f"model={folder}", "task=tiny_math", "runtime.limit=1", "generation.gen_length=256"))
    assert plan.settings == settings


def test_a_folder_with_the_ids_of_the_preset_keeps_its_end_ids(tmp_path: Path) -> None:
    config = json.loads((REPOSITORY / "checkpoints" / "llada_tiny" / "config.json").read_text())
    published = {"mask_token_id": 126336, "eos_token_id": 126081, "embedding_size": 126464}
    (tmp_path / "config.json").write_text(json.dumps(config | published))
    assert list(read(f"model={tmp_path}").model.end_ids) == [126081, 126348]


def test_a_shipped_folder_is_its_preset() -> None:
    assert plain_words(["model=checkpoints/dream_tiny"]) == ["model=dream_tiny"]


def test_a_folder_of_another_family(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ValueError, match=r"config\.json: model_type is 'llama', expected one of 'llada', 'Dream'"):
        plain_words([f"model={tmp_path}"])


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (
            "model=owner/name",
            r"^model=owner/name: neither a preset nor .* pass model=llada \(dream, sdar_4b, .*\) model\.path=owner/n",
        ),
        ("model=/no/folder", r"^model=/no/folder: neither a preset nor .* model\.path=/no/folder$"),
        ("model=lada", "^model=lada: expected one of .*llada"),
        ("model.path=/a=b/c", """needs quotes, as 'model.path="/a=b/c"'$"""),
        ("model.path=/a(b", """needs quotes, as 'model.path="/a\\(b"'$"""),
    ],
)
def test_what_hydra_cannot_read_says_what_to_type(word: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        ssd.run([word])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b", "a/../../x", "/etc/x", "..", "a b\n\x07", "x" * 400, "模型/一", "ü" * 100])
def test_a_name_is_one_safe_component_of_a_path(name: str, tmp_path: Path) -> None:
    config = composed("runtime.limit=1")
    config.results_dir = str(tmp_path)
    for group in ("model", "decoder", "task"):
        config[group].name = name
    plan = make_plan(config)
    folder = RunFolder(plan.results_dir, plan.config).path
    folder.mkdir()
    assert folder.parent == tmp_path
    assert list(tmp_path.resolve().iterdir()) == [folder]
    assert folder.name.isprintable()
    assert " " not in folder.name


def test_names_without_slashes_are_kept_and_names_that_look_alike_have_folders_of_their_own() -> None:
    ids = []
    for name in ("a/b", "a_b", "llada_tiny-1.5+x"):
        config = composed("runtime.limit=1")
        config.model.name = name
        ids.append(RunFolder(Path(), make_plan(config).config).run_id)
    assert ids[0] != ids[1]
    assert ids[2].startswith("ssd-llada_tiny-1.5+x-tiny_math-")


def test_a_run_whose_name_has_a_slash_is_found(short_run, tmp_path: Path) -> None:
    summary = short_run("llada", "model.name=a/b", "runtime.timing=false", "runtime.limit=1")
    assert list(ssd.read(tmp_path).runs.run_id) == [summary["run_id"]]
    assert list(ssd.read(tmp_path).runs.model) == ["a/b"]
    assert [path.name.rpartition("-")[0] for path in (tmp_path / "references").iterdir()] == [
        "stepwise-a_b-tiny_math-dual"
    ]


def test_end_ids_as_a_list_of_config_json(checkpoints, short_run, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints["llada"], tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"eos_token_id": [4, 0]}))
    words = [f"model.path={folder}", f"results_dir={tmp_path / 'results'}", "runtime.timing=false", "runtime.limit=1"]
    assert short_run("llada", *words)["status"] == "done"
    assert ssd.load(str(folder), device="cpu").special.end_ids == (4, 0)
    assert ssd.load("llada_tiny", path=str(folder), device="cpu").special.end_ids == (0, 4)
    cure = r"pass model\.mask_id=1 'model\.end_ids=\[4,0\]'"
    with pytest.raises(ValueError, match=rf"disagree with .* \(mask 1, EOS 4,0\); {cure}"):
        short_run("llada", *words, "model.mask_id=2")
