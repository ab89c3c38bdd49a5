"""`ssd-bench inflate` as users call it: the folder it writes, the size it prints, and what it refuses."""

from pathlib import Path

import pytest

from ssd.cli import main
from ssd.commands import inflate
from ssd.modeling.checkpoint import load_model, read_config
from ssd.modeling.config import ModelConfig
from ssd.modeling.inflate import inflated_config
from ssd.modeling.published import PUBLISHED
from ssd.paths import ROOT
from tests.models import random_transformer, tiny_config, write_checkpoint

HOLDS = {
    "llada_tiny": ("0.3b", "1b", "3b", "llada"),
    "dream_tiny": ("0.3b", "1b", "3b", "dream", "fast_dllm_v2_7b"),
    "sdar_tiny_b16": ("0.3b", "1b", "3b", "sdar_1_7b", "sdar_4b", "sdar_8b"),
    "fast_dllm_v2_tiny": ("0.3b", "1b", "3b", "dream", "fast_dllm_v2_7b"),
}


def config_of(folder: Path, *words: str) -> ModelConfig:
    """Return the config that the command writes for these words."""
    options = inflate.parse(["--from", str(folder), "--out", "out", *words])
    small = read_config(folder)
    return inflated_config(small, inflate.chosen_sizes(options, small))


def test_a_folder_is_written_and_its_size_is_printed(tmp_path, capsys):
    source, out = write_checkpoint(tmp_path / "source", random_transformer("llada")), tmp_path / "out"
    words = ["--hidden-size", "96", "--layers", "3", "--heads", "6", "--key-value-heads", "6", "--dtype", "float32"]
    assert main(["inflate", "--from", str(source), "--out", str(out), *words]) == 0
    model = load_model(out)
    assert (model.config.hidden_size, model.config.layers, model.config.heads) == (96, 3, 6)
    first, _, layers, head, published, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{out}: 3 layers of width 96, ")
    weights = 3 * (4 * 96 * 96 + 3 * 96 * 64)
    assert layers.split() == ["layers", f"{weights / 1e6:.1f}", f"{2 * weights / 1e6:.1f}", "100.0%"]
    assert head.split()[:4] == ["head,", "64", "tokens", "0.0"]
    size = PUBLISHED["llada"].vocabulary_size * 96
    assert published.split()[:4] == ["head,", "126,464", "tokens", f"{size / 1e6:.1f}"]
    assert published.split()[-1] == f"{size / weights:.1%}"
    assert last == "An embedding has as many parameters as the head, and costs no products."


@pytest.mark.parametrize("name", HOLDS)
def test_known_shapes_hold_the_shipped_models(name):
    for shape in HOLDS[name]:
        large = config_of(ROOT / "checkpoints" / name, "--shape", shape)
        if shape in PUBLISHED:
            published = PUBLISHED[shape]
            assert [getattr(large, size) for size in inflate.SIZES] == [
                getattr(published, size) for size in inflate.SIZES
            ]
        assert large.vocabulary_size == 512


def test_options_win_over_the_shape(tmp_path):
    source = write_checkpoint(tmp_path, random_transformer("sdar"))
    assert config_of(source, "--shape", "0.3b", "--head-size", "24", "--layers", "2").head_size == 24
    assert config_of(source, "--shape", "0.3b", "--hidden-size", "960", "--heads", "16").head_size == 60
    assert config_of(source).own_head_size == tiny_config("sdar").own_head_size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shape", "dream"], "error: key_value_heads is 4, expected at least the source's 7; take a larger shape\n"),
        (["--shape", "sdar_4b"], "error: the heads' size is 128, but 32 heads share the hidden size 2560"),
        (["--out", str(ROOT)], f"error: {ROOT}: exists already; name a new folder, or delete this one\n"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(words, message, tmp_path, capsys):
    source = str(ROOT / "checkpoints" / "llada_tiny")
    assert main(["inflate", "--from", source, "--out", str(tmp_path / "out"), *words]) == 1
    told = capsys.readouterr().err
    assert told.startswith(message)
    assert told.count("\n") == 1


@pytest.mark.parametrize("words", [["--layers", "0"], ["--shape", "7b"], ["--shard-mib", "-1"]])
def test_words_that_mean_nothing(words, capsys):
    with pytest.raises(SystemExit) as caught:
        inflate.parse(["--from", "here", "--out", "there", *words])
    assert caught.value.code == 2
    assert words[1] in capsys.readouterr().err
