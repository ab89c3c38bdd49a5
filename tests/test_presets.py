"""conf/preset: what a model's authors publish for a task is what the plain command line gives."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ssd.decoding.settings import GenerationSettings
from tests.data import REPOSITORY, project_files
from tests.effort import some
from tests.runs import composed

CONF = REPOSITORY / "conf"
PRESETS = project_files("conf/preset/*.yaml")
EVALUATED = ("gsm8k", "humaneval", "mbpp", "math500")
# Typed a second time: gen_length, block_length, eos, temperature, top_p, num_fewshot.
PUBLISHED: dict[str, tuple[int, int, str, float, float, int]] = {
    "llada_base_gsm8k": (1024, 1024, "keep", 0.0, 1.0, 5),
    "llada_base_humaneval": (1024, 1024, "keep", 0.0, 1.0, 0),
    "llada_base_mbpp": (1024, 1024, "keep", 0.0, 1.0, 3),
    "llada_base_math500": (1024, 1024, "keep", 0.0, 1.0, 4),
    "llada_gsm8k": (256, 8, "keep", 0.0, 1.0, 4),
    "llada_humaneval": (512, 512, "suppress_logits", 0.0, 1.0, 0),
    "llada_mbpp": (256, 256, "suppress_confidence", 0.0, 1.0, 3),
    "llada_math500": (512, 64, "keep", 0.0, 1.0, 0),
    "llada_1_5_gsm8k": (256, 16, "suppress_confidence", 0.0, 1.0, 4),
    "llada_1_5_humaneval": (512, 32, "suppress_confidence", 0.0, 1.0, 0),
    "llada_1_5_mbpp": (512, 32, "suppress_confidence", 0.0, 1.0, 3),
    "llada_1_5_math500": (1024, 128, "suppress_confidence", 0.0, 1.0, 0),
    "dream_base_gsm8k": (256, 256, "keep", 0.0, 0.95, 8),
    "dream_base_humaneval": (512, 512, "keep", 0.2, 0.95, 0),
    "dream_base_mbpp": (512, 512, "keep", 0.2, 0.95, 3),
    "dream_base_math500": (512, 512, "keep", 0.0, 0.95, 4),
    "dream_gsm8k": (256, 256, "keep", 0.1, 0.9, 0),
    "dream_humaneval": (768, 768, "keep", 0.1, 0.9, 0),
    "dream_mbpp": (1024, 1024, "keep", 0.1, 0.9, 0),
    "dream_math500": (512, 512, "keep", 0.1, 0.9, 0),
    **{
        f"{model}_{task}": (1024, 4, "keep", 0.0, 1.0, 0)
        for model in ("sdar_1_7b", "sdar_4b", "sdar_8b")
        for task in ("gsm8k", "humaneval", "mbpp", "math500")
    },
    **{
        f"{model}_{task}": (2000, 4, "keep", 0.0, 1.0, 0)
        for model in ("trado_4b", "trado_8b")
        for task in ("gsm8k", "math500")
    },
}
BLOCK_CAUSAL = ("sdar", "trado")

each_preset = pytest.mark.parametrize("file", PRESETS, ids=lambda file: file.stem)
each_published = pytest.mark.parametrize("name", PUBLISHED)


def choices(name: str) -> list[str]:
    """The words of the plain command line that reach a preset."""
    model, task = next((name.removesuffix(f"_{task}"), task) for task in EVALUATED if name.endswith(f"_{task}"))
    return [f"model={model}", f"task={task}"]


def own_values(file: Path) -> dict[str, Any]:
    """What a preset or an experiment sets, by dotted key."""
    content = OmegaConf.to_container(OmegaConf.load(file))
    content.pop("defaults", None)
    return {f"{group}.{name}": value for group, values in content.items() for name, value in values.items()}


def test_every_pair_that_was_published_has_a_preset() -> None:
    assert {file.stem for file in PRESETS} == {*PUBLISHED, "dream_lm_eval", "dream_base_lm_eval"}


@each_published
@pytest.mark.slow
def test_the_plain_command_line_reaches_it(name: str) -> None:
    config = composed(*choices(name))
    generation = config.generation
    assert (
        generation.gen_length,
        generation.block_length,
        generation.eos,
        generation.temperature,
        generation.top_p,
        config.task.num_fewshot,
    ) == PUBLISHED[name]
    assert generation.steps is None, "all of them spend one step per token"
    assert generation.schedule == ("dream" if name.startswith("dream") else "uniform")
    assert generation.ranking == ("entropy" if name.startswith("dream") else "low_confidence")
    assert config.task.chat is ("_base_" not in name)
    assert config.task.add_bos is name.startswith("dream_base"), "eval_dream_gen.sh passes add_bos_token=true"
    GenerationSettings(**OmegaConf.to_container(generation, resolve=True))


@each_preset
@pytest.mark.slow
def test_a_preset_names_its_source_and_sets_only_options_that_exist(file: Path) -> None:
    header, command, source, *_ = file.read_text().splitlines()
    assert header == "# @package _global_"
    assert command.startswith("# python run.py decoder=ssd model=")
    assert source.startswith(("# ML-GSAI/LLaDA, ", "# DreamLM/Dream, ", "# SDAR, arXiv ", "# TraDo, arXiv "))
    config = composed(*command.removeprefix("# python run.py ").split())
    as_written = OmegaConf.merge(config, OmegaConf.load(file))
    for key in own_values(file):
        assert key.startswith("generation.") or key in ("task.num_fewshot", "task.add_bos")
        assert OmegaConf.select(config, key, throw_on_missing=True) == OmegaConf.select(as_written, key)


@each_published
@pytest.mark.slow
def test_words_win_wherever_they_stand(name: str) -> None:
    words = ["generation.gen_length=96", "generation.block_length=32", "generation.temperature=0.5"]
    for line in ([*choices(name), *words], [*words, *choices(name)]):
        generation = composed(*line).generation
        assert (generation.gen_length, generation.block_length, generation.temperature) == (96, 32, 0.5)
    assert composed(*choices(name), "task.num_fewshot=1").task.num_fewshot == 1


@pytest.mark.parametrize("experiment", [file.stem for file in project_files("conf/experiment/*.yaml")])
@pytest.mark.slow
def test_experiments_win(experiment: str) -> None:
    expected = {
        key: value
        for key, value in own_values(CONF / "experiment" / f"{experiment}.yaml").items()
        if key.startswith(("generation.", "task."))
    }
    for name in some(("llada_humaneval", "dream_gsm8k", "dream_base_mbpp"), 3, len(experiment)):
        config = composed(f"experiment={experiment}", *choices(name))
        assert {key: OmegaConf.select(config, key) for key in expected} == expected


def test_without_a_preset_the_task_decides() -> None:
    config = composed("model=llada_tiny", "task=gsm8k")
    assert (config.generation.gen_length, config.generation.block_length) == (256, 32)
    assert config.task.num_fewshot is None, "0 as a chat, 5 as plain text"


@each_preset
def test_a_preset_says_how_to_get_the_published_cache(file: Path) -> None:
    said = (
        "# Published with generation.cache=none; the default here is dual: add generation.cache=none for the published "
        "setting."
    )
    assert file.read_text().splitlines().count(said) == (not file.stem.startswith(BLOCK_CAUSAL))
    assert composed().generation.cache == "dual"
    assert composed("model=sdar_4b").generation.cache == "exact", "the published cache"


@pytest.mark.parametrize("model", ["dream", "dream_base"])
@pytest.mark.parametrize("words", [[], ["generation.gen_length=512"]])
def test_dream_has_one_block_whatever_the_length(model: str, words: list[str]) -> None:
    generation = composed(f"model={model}", "task=lm_eval", *words).generation
    assert generation.block_length == generation.gen_length
    assert generation.schedule == "dream"


@pytest.mark.parametrize("task", [*EVALUATED, "lm_eval"])
@pytest.mark.slow
def test_dream_instruct_is_never_left_at_temperature_0(task: str) -> None:
    assert composed("model=dream", f"task={task}").generation.temperature == 0.1
    assert composed("model=dream", f"task={task}", "generation.temperature=0").generation.temperature == 0
