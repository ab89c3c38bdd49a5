"""config.json: the two published ones, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ssd.modeling.checkpoint import read_config
from ssd.modeling.config import Family, ModelConfig
from ssd.modeling.published import PUBLISHED as SHAPES
from ssd.modeling.transformer import Transformer
from ssd.modeling.weights import hub_names
from tests.models import hub_config, tiny_config

PUBLISHED = [("LLaDA-8B-Instruct", 8_015_581_184), ("Dream-v0-Instruct-7B", 7_615_616_512)]


def parse(family: Family, **changes: Any) -> ModelConfig:
    """ModelConfig of a tiny config.json with some keys changed; None for a key that is taken out."""
    hub = hub_config(tiny_config(family)) | changes
    return ModelConfig.from_hub(hub, where="here")


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED)
def test_published_shapes_have_the_published_size(data: Path, name: str, parameters: int) -> None:
    config = read_config(data / "configs" / name)
    with torch.device("meta"):
        transformer = Transformer(config)
    assert sum(weight.numel() for weight in transformer.parameters()) == parameters
    assert hub_names(config).keys() == dict(transformer.named_parameters()).keys()


def test_published_values(data: Path) -> None:
    llada = read_config(data / "configs" / "LLaDA-8B-Instruct")
    dream = read_config(data / "configs" / "Dream-v0-Instruct-7B")
    assert {"llada": llada, "dream": dream} == {name: SHAPES[name] for name in ("llada", "dream")}
    assert (llada.family, llada.mask_id, llada.end_id, llada.logits_shift) == ("llada", 126336, 126081, 0)
    assert (dream.family, dream.mask_id, dream.end_id, dream.logits_shift) == ("dream", 151666, 151643, 1)
    assert (llada.rope_theta, llada.norm_epsilon, llada.rope_full_precision) == (5e5, 1e-5, True)
    assert (dream.rope_theta, dream.norm_epsilon, dream.rope_full_precision) == (1e6, 1e-6, False)
    assert (llada.key_value_heads, dream.key_value_heads, dream.head_size) == (32, 4, 128)


def test_what_is_written_is_read(family: Family) -> None:
    assert parse(family) == tiny_config(family)


@pytest.mark.parametrize("model_type", ["llama", "dream", None])
def test_unknown_model_type(model_type: str | None) -> None:
    known = "'llada', 'Dream', 'sdar', 'Fast_dLLM_Qwen'"
    with pytest.raises(ValueError, match=f"^here: model_type is {model_type!r}, expected one of {known}$"):
        parse("llada", model_type=model_type)


@pytest.mark.parametrize(
    ("family", "key", "value"),
    [
        ("llada", "activation_type", "gelu"),
        ("llada", "alibi", True),
        ("llada", "block_type", "sequential"),
        ("llada", "include_bias", True),
        ("llada", "layer_norm_type", "default"),
        ("llada", "rope_full_precision", False),
        ("llada", "weight_tying", True),
        ("dream", "hidden_act", "gelu"),
        ("dream", "rope_scaling", {"type": "yarn", "factor": 4.0}),
        ("dream", "tie_word_embeddings", True),
        ("dream", "use_mrope", True),
        ("dream", "use_sliding_window", True),
    ],
)
def test_a_setting_that_would_compute_something_else(family: Family, key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^here: {key} is .*, but only .* is supported for {family}$"):
        parse(family, **{key: value})


@pytest.mark.parametrize(
    ("family", "key"),
    [("llada", "d_model"), ("llada", "mask_token_id"), ("dream", "hidden_size"), ("dream", "rope_theta")],
)
def test_missing_key(family: Family, key: str) -> None:
    with pytest.raises(ValueError, match=f"^here: missing key {key}; take the file from the model's Hub page$"):
        parse(family, **{key: None})


@pytest.mark.parametrize(("family", "key"), [("llada", "n_kv_heads"), ("dream", "num_key_value_heads")])
def test_key_value_heads_default_to_heads(family: Family, key: str) -> None:
    assert parse(family, **{key: None}).key_value_heads == 4


@pytest.mark.parametrize("changes", [{"d_model": 30}, {"n_kv_heads": 3}])
def test_sizes_that_do_not_divide(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="do not divide one another"):
        parse("llada", **changes)


def test_unreadable_config(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no config\.json; model\.path must name a checkpoint"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": ')
    with pytest.raises(ValueError, match=r"config\.json: not JSON"):
        read_config(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(hub_config(tiny_config("llada"))))
    assert read_config(tmp_path) == tiny_config("llada")


@pytest.mark.parametrize(
    ("family", "key", "value", "expected"),
    [
        ("llada", "rope_theta", "1e6", r"is '1e6', expected a number above 0"),
        ("llada", "rope_theta", 0, "is 0, expected a number above 0"),
        ("llada", "rope_theta", True, "is True, expected a number above 0"),
        ("dream", "rope_theta", float("nan"), "is NaN, expected a number above 0"),
        ("dream", "rms_norm_eps", [1e-6], r"is \[1e-06\], expected a number above 0"),
        ("dream", "rms_norm_eps", 10**400, r"is 1000+\.\.\., expected a number above 0"),
        ("llada", "max_sequence_length", 0, "is 0, expected a whole number from 1 to 16777216"),
        ("llada", "n_layers", "2", "is '2', expected a whole number from 1 to 16777216"),
        ("llada", "d_model", 2.0, r"is 2\.0, expected a whole number from 1 to 16777216"),
        ("dream", "num_key_value_heads", [2], r"is \[2\], expected a whole number from 1 to 16777216"),
        ("dream", "mask_token_id", 64, "is 64, expected a whole number from 0 to 63"),
        ("llada", "eos_token_id", "0", "is '0', expected an id from 0 to 63, or a list of such ids"),
        ("llada", "eos_token_id", [], r"is \[\], expected an id from 0 to 63, or a list of such ids"),
        ("llada", "eos_token_id", [62, -1], r"is \[62, -1\], expected an id from 0 to 63, or a list of such ids"),
        ("dream", "rope_parameters", 5, r"is 5, expected an object \{ \}"),
    ],
)
def test_a_value_of_another_type(family: Family, key: str, value: object, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^here: {key} {expected}; take the file from the model's Hub page$"):
        parse(family, **{key: value})


@pytest.mark.parametrize("model_type", [["llada"], 0, {}])
def test_a_model_type_that_is_no_text(model_type: object) -> None:
    with pytest.raises(ValueError, match=r"^here: model_type is .*, expected one of 'llada', 'Dream'"):
        parse("llada", model_type=model_type)


def test_several_end_ids(family: Family) -> None:
    config = parse(family, eos_token_id=[62, 5, 62])
    assert (config.end_id, config.end_ids) == (62, (62, 5))
    assert parse(family).end_ids == (62,)


def test_rope_parameters_of_transformers_5(family: Family) -> None:
    written = {"rope_type": "default", "rope_theta": 7.0}
    assert parse(family, rope_parameters=written, rope_theta=None).rope_theta == 7
    assert parse(family, rope_parameters={"rope_type": "default"}, rope_theta=5.0).rope_theta == 5
    assert parse(family, rope_parameters=None, rope_theta=5.0).rope_theta == 5
    with pytest.raises(ValueError, match=r"^here: rope_parameters: rope_type is 'yarn', but only"):
        parse(family, rope_parameters=written | {"rope_type": "yarn"})
    with pytest.raises(ValueError, match=r"^here: rope_parameters: missing key rope_theta"):
        parse(family, rope_parameters=written | {"rope_theta": None}, rope_theta=None)


def test_an_odd_head_size() -> None:
    with pytest.raises(ValueError, match=r"^here: hidden size 36 and 4 heads make a head size of 9, expected an even"):
        parse("llada", d_model=36)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'["llada"]', r"holds a list, expected an object \{ \}"),
        (b"7", "holds 7, expected an object"),
        (b"\xff\xfe\xfa", "not JSON"),
        (b"[" * 200_000, r"not JSON \(maximum recursion depth"),
        (b'{"n_layers": ' + b"9" * 5000 + b"}", "not JSON"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            "a Git LFS pointer instead of the file",
        ),
    ],
)
def test_a_config_that_is_no_object(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"config\.json: {reason}") as caught:
        read_config(tmp_path)
    assert "\n" not in str(caught.value)
