"""conf/task: what Hydra composes is what the constructors take."""

import inspect
from pathlib import Path

import hydra
import pytest
from omegaconf import OmegaConf

from ssd.tasks.gsm8k import GSM8K
from ssd.tasks.humaneval import HumanEval
from ssd.tasks.math500 import Math500
from ssd.tasks.mbpp import MBPP
from ssd.tasks.qa import QuestionAnswer
from ssd.tasks.task import Task
from ssd.tasks.tiny_code import TinyHumanEval, TinyMBPP
from ssd.tasks.tiny_math import TinyMath

TASKS: dict[str, type[Task]] = {
    "gsm8k": GSM8K,
    "humaneval": HumanEval,
    "math500": Math500,
    "mbpp": MBPP,
    "qa": QuestionAnswer,
    "tiny_humaneval": TinyHumanEval,
    "tiny_math": TinyMath,
    "tiny_mbpp": TinyMBPP,
}


@pytest.mark.parametrize("name", TASKS)
def test_keys_and_defaults_are_the_constructors(conf_folder: Path, name: str) -> None:
    config = OmegaConf.load(conf_folder / "task" / f"{name}.yaml")
    defaults = {key: parameter.default for key, parameter in inspect.signature(TASKS[name]).parameters.items()}
    # The plan sets add_bos, for every task alike.
    assert config.task.pop("add_bos") is False
    own = {key: value for key, value in OmegaConf.to_container(config.task).items() if key != "_target_"}
    # Two tasks that share a constructor have no default name; a default must not be a list, which could change.
    defaults["name"] = name
    assert own == {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()}
    own_file = {"path": "own.jsonl"} if name == "qa" else {}
    assert type(hydra.utils.instantiate(config.task, **own_file)) is TASKS[name]


@pytest.mark.parametrize("name", TASKS)
def test_config_is_global_and_names_the_command_that_runs_it(conf_folder: Path, name: str) -> None:
    # Hydra reads a header only where no other comment stands before it.
    header, command = (conf_folder / "task" / f"{name}.yaml").read_text().splitlines()[:2]
    assert header == "# @package _global_"
    assert command.startswith("# python run.py decoder=")
    assert f" task={name}" in command
    with hydra.initialize_config_dir(str(conf_folder), version_base="1.3"):
        composed = hydra.compose(overrides=[f"+task={name}"])
    assert set(composed) == {"task", "generation"}
    assert composed.task.name == name
    assert composed.generation.gen_length % composed.generation.block_length == 0
