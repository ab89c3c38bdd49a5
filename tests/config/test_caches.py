"""Caches on the command line: options, published settings, run ids and refusals."""

from dataclasses import fields

import pytest
from omegaconf import OmegaConf

from ssd.config.help import describe
from ssd.config.plan import make_plan
from ssd.decoding.cache_options import OPTIONS, DKVOptions
from ssd.decoding.settings import GenerationSettings
from ssd.results.store import run_id
from tests.data import project_files
from tests.runs import composed


def plan(*words: str):
    return make_plan(composed("decoder=stepwise", "task=tiny_math", "runtime.limit=1", *words))


def id_of(*words: str) -> str:
    return run_id(plan(*words).config)


@pytest.mark.parametrize("file", project_files("conf/cache/*.yaml"), ids=lambda file: file.stem)
@pytest.mark.slow
def test_published_settings_compose_to_the_cache_that_names_them(file):
    lines = file.read_text().splitlines()
    assert lines[0] == "# @package generation"
    assert lines[1].startswith(f"# python run.py cache={file.stem} decoder=")
    command = lines[1].removeprefix("# python run.py ").split()
    settings = GenerationSettings(**OmegaConf.to_container(composed(*command).generation))
    published = OmegaConf.load(file)
    assert settings.block_length == published.get("block_length", settings.block_length), "no preset overrules it"
    assert file.stem.startswith(settings.cache)
    assert type(settings.cache_options) is OPTIONS[settings.cache]


def test_a_run_is_named_by_what_its_cache_does():
    assert plan("generation.cache=dkv", "generation.cache_options.interval=4").settings.cache_options == DKVOptions(4)
    default = id_of("generation.cache=dkv")
    assert default == id_of("generation.cache=dkv", "generation.cache_options.interval=8") == id_of("cache=dkv_llada")
    assert default != id_of("cache=dkv_dream")
    assert "cache_options" not in plan("generation.cache=dual").config["generation"], "older runs keep their ids"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generation.cache=dkv", "runtime.numerics=locked"], "runtime.numerics=locked with generation.cache=dkv"),
        (
            ["generation.cache=dpad", "runtime.engine=compile"],
            "no fixed shape; pass runtime.engine=eager",
        ),
        (["generation.cache=dkvv"], r"^generation\.cache='dkvv': expected one of none, .*; did you mean dkv\?$"),
        (["generation.cache=dllm_cache", "runtime.batch_size=2"], "pass runtime.batch_size=1"),
        (["generation.cache=sparse", "model=sdar_tiny"], "generation.cache=sparse with generation.grid=absolute"),
        (["generation.cache=dkv", "generation.cache_options.delay=2"], "generation.cache=dkv has the options interval"),
    ],
)
def test_what_a_cache_does_not_allow_is_refused_before_loading(words, message):
    with pytest.raises(ValueError, match=message):
        plan(*words)


def test_caches_without_fixed_shapes_predict_no_time():
    assert plan("generation.cache=dkv_prefill").predicts
    assert not plan("generation.cache=dkv").predicts


def test_the_help_lists_the_options_of_caches():
    text = describe(["--help"])
    for options in OPTIONS.values():
        for option in fields(options):
            assert f"generation.cache_options.{option.name}=null" in text
