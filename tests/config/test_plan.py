"""From the command line to a plan: presets, precedence, and every refusal in one line."""

import re
import shlex
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml
from omegaconf import OmegaConf

from baselines.stepwise import Stepwise
from ssd.config.plan import make_plan
from ssd.speculation.decoder import SelfSpeculative
from tests.data import REPOSITORY, project_files
from tests.effort import covering
from tests.runs import composed

CONF = REPOSITORY / "conf"


@cache
def names(group: str) -> list[str]:
    return [file.stem for file in project_files(f"conf/{group}/*.yaml")]


@cache
def preset(group: str, name: str) -> dict:
    return yaml.safe_load((CONF / group / f"{name}.yaml").read_text())


def published(model: str, task: str) -> dict:
    name = f"{model}_{task}"
    return preset("preset", name) if name in names("preset") else {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("runtime.limit=0", "runtime.limit=0: expected a whole number of at least 1 or null"),
        ("runtime.limit=-1", "runtime.limit=-1: expected a whole number of at least 1 or null"),
        ("runtime.limit=2.5", "runtime.limit=2.5: expected a whole number"),
        ("runtime.limit=true", "runtime.limit=True: expected a whole number"),
        ("runtime.limit=few", "runtime.limit=few: expected a whole number"),
        ("runtime.threads=0", "runtime.threads=0: expected a whole number of at least 1 or null"),
        (
            "runtime.threads=100000",
            r"runtime.threads=100000: expected 1 to 1024, best the number of this machine's cores",
        ),
        ("runtime.pass_at=[]", r"runtime.pass_at=\[\]: expected a list of whole numbers from 1 to runtime.repeats=1"),
        ("runtime.warmup=-1", "runtime.warmup=-1: expected a whole number of at least 0$"),
        ("runtime.warmup=null", "runtime.warmup=None: expected a whole number of at least 0$"),
        ("runtime.dtype=int8", "runtime.dtype=int8: expected one of float64, float32, bfloat16, float16"),
        ("runtime.dtype=[float32]", r"runtime.dtype=\['float32'\]: expected one of float64"),
        ("runtime.numerics=loose", "runtime.numerics=loose: "),
        ("runtime.batch_size=0", "runtime.batch_size=0: expected a whole number of at least 1"),
        ("runtime.reference=greedy", "runtime.reference=greedy: expected one of stepwise, chain"),
        ("runtime.reference=ssd", "runtime.reference=ssd: expected one of stepwise, chain"),
        ("runtime.device=tpu", "runtime.device=tpu: expected auto, cpu, cuda or cuda:N"),
        ("runtime.device=meta", "runtime.device=meta: expected auto, cpu, cuda or cuda:N"),
        ("runtime.device=null", "runtime.device=None: expected auto, cpu, cuda or cuda:N"),
        ("runtime.device=1", "runtime.device=1: expected auto, cpu, cuda or cuda:N"),
        (
            "runtime.device=cpu:7",
            "runtime.device=cpu:7: expected auto, cpu, .*all cores together are the one device cpu",
        ),
        ("+runtime.speed=9", "runtime.speed is not an option; expected one of limit, device"),
        ("+generation.lenght=9", "generation.lenght is not an option; expected one of gen_length, block_length"),
        (
            "generation.gen_length=100",
            "gen_length=100 is not divisible by generation.block_length=32; generation.block_length=",
        ),
        ("generation.cache=both", "generation.cache='both': expected one of none, prefix, dual"),
        ("generation.temperature=-1", "generation.temperature=-1: expected 0"),
        ("generation.steps=0", "generation.steps=0: expected null"),
        ("decoder.depth=0", "decoder.depth=0: expected auto or a whole number of at least 1"),
        ("decoder.builder=chain decoder.width=2", "decoder.width=2, .*a chain has one node per depth"),
        ("decoder.budget=1", "decoder.budget=1: expected null or at least 2"),
        ("decoder.builder=bush", "decoder.builder='bush': expected one of chain"),
        (
            "decoder.depth=auto runtime.timing=false",
            r"decoder.depth=auto decides by measured costs: with runtime.timing=false pass decoder.costs=",
        ),
        ("+decoder.dept=9", "decoder.dept is not an option; expected one of depth, width, budget"),
        ("decoder=stepwise +decoder.depth=9", r"decoder.depth is not an option; expected one of \(none\)"),
        ("task.chat=3", "task.chat is 3; expected true or false"),
        ("task.documents=0", "task.documents is 0; expected an integer of at least 1"),
        ("task.add_bos=no", "task.add_bos is .no.; expected true or false"),
        ("task.num_fewshot=-1", "task.num_fewshot is -1; expected an integer of at least 0"),
        ("+task.shots=9", "task.shots is not an option; expected one of name, path"),
        ("task=humaneval task.workers=100000", "task.workers is 100000; expected 256 programs at a time at most"),
        ("task=gsm8k task.path=/no/such/file.jsonl", "task.path=/no/such/file.jsonl does not exist"),
    ],
)
def test_what_cannot_work_is_refused_with_key_value_and_expectation(words, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        make_plan(composed(*words.split()))
    assert "\n" not in str(caught.value)


def test_auto_needs_no_clock_where_costs_are_given():
    words = ("decoder.depth=auto", "runtime.timing=false", "decoder.costs=[[1,1.0],[8,1.3]]")
    assert make_plan(composed(*words)).decoder.is_auto


def test_a_device_that_this_machine_lacks(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    make_plan(composed("runtime.device=cuda:0"))
    for device in ("cuda:1", "cuda:7"):
        with pytest.raises(ValueError, match=f"runtime.device={device}: this machine has 1 CUDA devices; pass"):
            make_plan(composed(f"runtime.device={device}"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=r"runtime.device=cuda: this machine has 0 CUDA devices; pass"):
        make_plan(composed("runtime.device=cuda"))


@pytest.mark.parametrize(("there", "device"), [(True, "cuda"), (False, "cpu")])
def test_auto_takes_cuda_where_there_is_one(monkeypatch, there, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert make_plan(composed("runtime.device=auto")).runtime.torch_device().type == device


def test_a_plan_holds_what_was_asked_for():
    plan = make_plan(composed("decoder.depth=3", "runtime.limit=4", "task.num_fewshot=2", "generation.cache=prefix"))
    assert isinstance(plan.decoder, SelfSpeculative)
    assert (plan.decoder.depth, plan.decoder.budget) == (3, 4)
    assert isinstance(plan.reference, Stepwise)
    assert [document.index for document in plan.documents] == [0, 1, 2, 3]
    assert len(plan.examples) == 2
    assert plan.settings.cache == "prefix"
    assert (plan.special.mask_id, plan.special.end_ids, plan.special.fill_id) == (1, (0, 4), 0)


def test_results_may_lie_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert make_plan(composed("results_dir='~/results'")).results_dir == tmp_path / "results"


COMBINATIONS = list(product(names("model"), names("decoder"), names("task")))


@pytest.mark.parametrize(
    ("model", "decoder", "task"), [COMBINATIONS[place] for place in covering(COMBINATIONS, strength=1)]
)
@pytest.mark.slow
def test_models_decoders_and_tasks_compose_with_their_presets(model, decoder, task):
    config = OmegaConf.to_container(
        composed(f"model={model}", f"decoder={decoder}", f"task={task}"), resolve=True, throw_on_missing=True
    )
    assert (config["model"]["name"], config["decoder"]["name"], config["task"]["name"]) == (model, decoder, task)
    assert {"path", "verifier"} <= config["model"].keys(), "some decoders need them"
    expected = preset("generation", "default") | preset("task", task).get("generation", {})
    expected |= preset("model", model).get("generation", {}) | published(model, task).get("generation", {})
    resolved = OmegaConf.create({"generation": expected})
    assert config["generation"] == OmegaConf.to_container(resolved, resolve=True)["generation"]
    runtime = preset("runtime", "default") | preset("task", task).get("runtime", {})
    assert config["runtime"] == runtime | preset("model", model).get("runtime", {})
    own = preset("task", task)["task"] | preset("model", model).get("task", {})
    assert config["task"] == own | published(model, task).get("task", {})


def test_the_presets_are_there_to_see():
    """So that the test above does not compare nothing with nothing."""
    assert composed("task=tiny_math").generation.gen_length == 64
    assert composed("task=gsm8k").generation.gen_length == 256
    assert composed("model=dream").generation.ranking == "entropy"
    assert composed("model=llada").generation.ranking == "low_confidence"
    assert composed("model=llada_base").task.chat is False
    assert composed("model=llada").runtime.dtype == "bfloat16"


@pytest.mark.parametrize("before", [True, False])
def test_the_command_line_wins_wherever_it_stands(before):
    choices = ["model=dream_base", "task=gsm8k"]
    values = ["generation.ranking=origin", "generation.gen_length=32", "task.chat=true", "runtime.dtype=float64"]
    config = composed(*(values + choices if before else choices + values))
    assert (config.generation.ranking, config.generation.gen_length) == ("origin", 32)
    assert config.task.chat is True
    assert config.runtime.dtype == "float64"


def test_a_model_wins_over_a_task():
    """`task.chat` is the case that matters: a base model has no chat, whatever the task would like."""
    assert preset("task", "gsm8k")["task"]["chat"] is True
    assert composed("task=gsm8k", "model=dream_base").task.chat is False


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("overwrite=no", r"^overwrite=no: expected true or false$"),
        ("+limit=3", r"^limit is not an option; expected one of model, decoder, .*, as runtime\.limit=3$"),
        ("runtime.traces=maybe", r"^runtime\.traces=maybe: expected true or false$"),
        ("runtime.confidences=1", r"^runtime\.confidences=1: expected true or false$"),
        ("runtime.confidences=true", r"^runtime\.confidences=true: .*pass runtime\.traces=true runtime\.timing=false$"),
        ("decoder.lossless=no", r"^decoder\.lossless=no: expected true or false$"),
        ("~decoder.lossless", r"^decoder\.lossless=None: expected true or false$"),
        ("decoder.alternatives=no", r"^decoder\.alternatives=no: expected true or false$"),
        ("decoder.width=abc", r"^decoder\.width=abc: expected null or a whole number of at least 1$"),
        (
            "decoder._target_=ssd.nothing.Mine",
            r"^decoder\._target_=ssd\.nothing\.Mine: no such class .*; mend conf/decoder/, or name its .*PYTHONPATH$",
        ),
        ("results_dir=null", r"^results_dir=None: expected a path"),
        ("model.path=null", r"^model\.path=None: expected a path"),
        ("model.context_length=abc", r"^model\.context_length=abc: expected a whole number"),
        ("model.end_ids=null", r"^model\.mask_id=1, model\.end_ids=None: expected an id and a list of ids$"),
        ("model.end_ids=[]", r"^model\.end_ids=\[\]: expected at least one id"),
    ],
)
def test_words_that_would_be_taken_for_something_else(word, message):
    with pytest.raises(ValueError, match=message):
        make_plan(composed(word))


def test_a_run_records_the_version_of_its_task_and_the_device_that_auto_stands_for():
    config = make_plan(composed("runtime.device=auto")).config
    assert config["task"]["version"] == 3
    assert config["runtime"]["device"] == ("cuda" if torch.cuda.is_available() else "cpu")


FILES = [file for file in project_files("conf/**/*.yaml") if file.parent.name != "preset"]
"""Without the presets, whose commands tests/test_presets.py composes."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
@pytest.mark.slow
def test_every_file_begins_with_a_command_that_runs_it(file: Path):
    header, first, *_ = [*file.read_text().splitlines(), ""]
    command = first if header.startswith("# @package") else header
    assert command.startswith("# python "), command
    program, *words = shlex.split(command.removeprefix("# python ").partition("   ")[0])
    if program == "-m":
        module = REPOSITORY.joinpath(*words[0].split("."))
        assert module.with_suffix(".py").is_file()
        return
    assert (REPOSITORY / program).is_file()
    if program == "run.py":
        config = composed(*(word for word in words if word != "-m" and "," not in word))
        group = file.parent.name
        if group in ("model", "decoder", "task", "tracker", "experiment"):
            assert f"{group}={file.stem}" in words
        assert OmegaConf.missing_keys(config) == set()


def test_a_mistake_inside_an_own_module_is_named_with_its_line(tmp_path, monkeypatch):
    (tmp_path / "own_mistake.py").write_text("one = 1\n  two = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=r"own_mistake\.py line 2: unexpected indent"):
        make_plan(composed("model=llada_tiny", "task=tiny_math", "decoder._target_=own_mistake.Mine"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "decoder=ssd generation.cache=dllm_cache",
            "generation.cache=dllm_cache with decoder=ssd: a forward",
        ),
        (
            "decoder=psd generation.cache=dllm_cache",
            "generation.cache=dllm_cache with decoder=psd: a forward",
        ),
        ("decoder=wino generation.cache=dkv", "generation.cache=dkv with decoder=wino: this decoder computes windows"),
        (
            "decoder=ssd decoder._target_=tests.planted.IgnoresOrder generation.cache=dllm_cache",
            "generation.cache=dllm_cache with IgnoresOrder: a forward",
        ),
        ("decoder=ssd decoder.lookahead=1 generation.cache=dkv", "pass decoder.lookahead=0, or generation.cache=none "),
        (
            "decoder=freedave decoder.eager=true model=sdar_tiny runtime.numerics=locked",
            "pass runtime.numerics=native or float64, or decoder.eager=false",
        ),
    ],
)
def test_a_decoder_that_does_not_fit_is_named_as_on_the_command_line(words, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make_plan(composed("task=tiny_math", *words.split()))


@pytest.mark.parametrize("word", ["~decoder.commit", "decoder.commit=null"])
def test_the_name_of_a_commit_rule_is_no_name_without_it(word):
    with pytest.raises(ValueError, match=r"^decoder\.name=klass: .*decoder\.commit is missing; .*decoder=fast_dllm"):
        make_plan(composed("decoder=klass", "model=llada_tiny", "task=tiny_math", word))


def test_an_option_without_a_value_is_named():
    with pytest.raises(ValueError, match=r"^task\.path is missing; pass task\.path=VALUE$"):
        make_plan(composed("model=llada_tiny", "task=gsm8k", "task.path=???"))
