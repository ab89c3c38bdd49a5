"""conf/experiment: every preset composes as its comments say, and wins over the presets of model and task."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from ssd.decoding.settings import GenerationSettings
from tests.data import REPOSITORY, project_files
from tests.effort import LONG, by_turns
from tests.runs import composed

CONF = REPOSITORY / "conf"
EXPERIMENTS = [file for file in project_files("conf/experiment/*.yaml") if "hydra" not in OmegaConf.load(file)]
"""The others are campaigns of many runs: see tests/campaign/test_campaigns.py."""
PUBLISHED: dict[str, dict[str, Any]] = {
    "ssd_paper": {"decoder.name": "ssd", "decoder.builder": "chain", "generation.block_length": 8},
    "fast_dllm": {"decoder.name": "fast_dllm", "decoder.rule": "threshold", "decoder.threshold": 0.9},
    "fast_dllm_dream": {
        "decoder.rule": "threshold",
        "decoder.threshold": 0.9,
        "generation.ranking": "maskgit_plus",
        "task.add_bos": True,
    },
    "freedave_llada": {
        "decoder.draft_steps": 4,
        "generation.gen_length": 1024,
        "generation.confidence_dtype": "logits",
    },
    "freedave_dream": {
        "decoder.draft_steps": 8,
        "generation.gen_length": 1024,
        "generation.confidence_dtype": "logits",
    },
    "apd": {"decoder.mixture_weight": 0.7, "decoder.kv_window": 16, "decoder.max_lookahead": 100},
    "apd_long": {"decoder.mixture_weight": 0.6, "decoder.kv_window": 32, "decoder.max_lookahead": 200},
    "wino": {"decoder.threshold": 0.6, "decoder.threshold_back": 0.9, "generation.block_length": 128},
    "spiffy": {"decoder.name": "spiffy", "decoder.budget": 11, "generation.block_length": 32},
    "klass_llada": {
        "decoder.commit.threshold": 0.6,
        "decoder.commit.kl_threshold": 0.015,
        "generation.gen_length": 256,
        "generation.block_length": 64,
    },
    "klass_dream": {
        "decoder.commit.threshold": 0.9,
        "decoder.commit.kl_threshold": 0.001,
        "generation.gen_length": 256,
        "generation.block_length": 256,
    },
    "psd": {"decoder.name": "psd", "decoder.rule": "threshold", "decoder.threshold": 0.9},
    "sdar_static": {"decoder.name": "ssd", "generation.gen_length": 1024, "generation.block_length": 4},
    "freedave_trado": {"decoder.eager": True, "decoder.draft_steps": 8, "generation.store": "separate"},
    "sdar_dynamic": {"decoder.rule": "dynamic", "decoder.threshold": 0.9, "generation.block_length": 4},
    "fast_dllm_v2": {"decoder.rule": "dynamic", "decoder.threshold": 0.9, "generation.sub_block_length": 8},
}
KLASS: dict[str, dict[str, tuple[float, float]]] = {
    "klass_llada": {"math500": (0.6, 0.01), "humaneval": (0.9, 0.01), "mbpp": (0.7, 0.01)},
    "klass_dream": {"math500": (0.9, 0.005), "humaneval": (0.8, 0.001), "mbpp": (0.9, 0.001)},
}
"""KLASS's threshold and KL threshold of the tasks beside GSM8K."""
EVALUATED = [("dream", "gsm8k"), *([("llada_base", "math500"), ("llada_1_5", "mbpp")] if LONG else [])]
"""Models and tasks with a preset of the model's authors."""

each_experiment = pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda file: file.stem)


def command(file: Path) -> list[str]:
    """The overrides of the command in an experiment's second line."""
    header, line = file.read_text().splitlines()[:2]
    # Hydra reads a header only where no other comment stands before it.
    assert header == "# @package _global_"
    assert line.startswith(f"# python run.py experiment={file.stem} model=")
    return line.removeprefix("# python run.py ").split()


def own_values(file: Path) -> dict[str, Any]:
    """What an experiment sets itself, by dotted key."""
    content = OmegaConf.to_container(OmegaConf.load(file))
    rule = content.get("decoder", {}).pop("commit", {})
    return {f"decoder.commit.{name}": value for name, value in rule.items()} | {
        f"{group}.{name}": value
        for group, values in content.items()
        if group != "defaults"
        for name, value in values.items()
    }


def assert_holds(config: DictConfig, expected: dict[str, Any]) -> None:
    assert {key: OmegaConf.select(config, key) for key in expected} == expected


def test_every_experiment_is_checked_against_what_was_published() -> None:
    assert {file.stem for file in EXPERIMENTS} == set(PUBLISHED)


@each_experiment
def test_command_composes(file: Path) -> None:
    config = composed(*command(file))
    assert_holds(config, own_values(file) | PUBLISHED[file.stem])
    GenerationSettings(**OmegaConf.to_container(config.generation, resolve=True))
    for word in command(file)[1:]:
        key, _, value = word.partition("=")
        chosen = config[key].name if key in ("model", "task") else OmegaConf.select(config, key)
        assert str(chosen) == value


@each_experiment
def test_words_to_add_compose(file: Path) -> None:
    for words in re.findall(r"^#.*: \+ (.*)$", file.read_text(), re.MULTILINE):
        config = composed(*command(file), *words.split())
        GenerationSettings(**OmegaConf.to_container(config.generation, resolve=True))
        options = {*OmegaConf.load(CONF / "decoder" / f"{config.decoder.name}.yaml"), "commit"} - {"defaults"}
        assert {*config.decoder, "commit"} == options, f"{words}: these options are another decoder's"


@pytest.mark.parametrize("name", KLASS)
def test_klass_has_the_published_thresholds_of_every_task(name: str) -> None:
    file = CONF / "experiment" / f"{name}.yaml"
    words = dict(re.findall(r"^#   (\w+): \+ (.*)$", file.read_text(), re.MULTILINE))
    for task, published in KLASS[name].items():
        rule = composed(*command(file), *words[task].split()).decoder.commit
        assert (rule.threshold, rule.kl_threshold, rule.history) == (*published, 2)


@pytest.mark.parametrize(("file", "model"), by_turns(EXPERIMENTS, ("llada_tiny", "dream_tiny")))
@pytest.mark.slow
def test_an_experiment_wins_over_the_presets_of_model_and_task(file: Path, model: str) -> None:
    config = composed(f"experiment={file.stem}", f"model={model}", "task=tiny_math")
    assert config.model.name == model
    assert config.generation.gen_length != composed(f"model={model}", "task=tiny_math").generation.gen_length
    assert_holds(config, own_values(file))


@each_experiment
@pytest.mark.parametrize(("model", "task"), EVALUATED)
@pytest.mark.slow
def test_an_experiment_has_nothing_of_what_a_models_authors_evaluate_it_with(file: Path, model: str, task: str) -> None:
    assert {"override /preset": None} in OmegaConf.to_container(OmegaConf.load(file).defaults)
    words = [f"experiment={file.stem}", f"model={model}", f"task={task}"]
    assert composed(f"model={model}", f"task={task}") != composed(f"model={model}", f"task={task}", "~preset")
    assert composed(*words) == composed(*words, "~preset")


@each_experiment
@pytest.mark.slow
def test_the_command_line_wins_over_an_experiment(file: Path) -> None:
    words = [word for word in command(file) if not word.startswith("decoder.")]
    config = composed(*words, "generation.gen_length=384", "generation.cache=none", "decoder=stepwise")
    assert_holds(config, {"generation.gen_length": 384, "generation.cache": "none", "decoder.name": "stepwise"})


@each_experiment
def test_an_experiment_sets_only_options_that_exist(file: Path) -> None:
    settings = {field.name for field in fields(GenerationSettings)}
    name = composed(*command(file)).decoder.name
    decoder = OmegaConf.load(CONF / "decoder" / f"{name}.yaml")
    known = {"generation": settings, "decoder": set(decoder), "task": {"num_fewshot", "add_bos"}}
    rule = CONF / "decoder" / "commit" / f"{name}.yaml"
    known |= {"decoder.commit": set(OmegaConf.load(rule))} if rule.is_file() else {}
    for key in own_values(file):
        group, _, name = key.rpartition(".")
        assert name in known[group], key
