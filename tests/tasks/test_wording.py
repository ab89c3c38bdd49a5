"""Prompts against lm-eval's own templates, and their lengths against the models' contexts."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from transformers import Qwen2TokenizerFast

from ssd.tasks.gsm8k import GSM8K
from ssd.tasks.humaneval import HumanEval
from ssd.tasks.math500 import Math500
from ssd.tasks.mbpp import MBPP
from ssd.tasks.prompts import render
from ssd.tasks.task import Task
from tests.data import REPOSITORY

DataFile = Callable[[str], Path]
Build = Callable[..., Task]


class Loader(yaml.SafeLoader):
    """Reads lm-eval's tasks without the functions that they name."""


Loader.add_constructor("!function", lambda loader, node: None)


@pytest.fixture(scope="module")
def build(data_file: DataFile) -> Build:
    """Return a function that builds a task with its local files."""
    files: dict[type[Task], str] = {
        GSM8K: "gsm8k/test.jsonl",
        HumanEval: "humaneval/HumanEval.jsonl.gz",
        Math500: "math500/test.jsonl",
        MBPP: "mbpp/mbpp.jsonl",
    }

    def call(kind: type[Task], **options: Any) -> Task:
        if kind is GSM8K:
            options["fewshot_path"] = str(data_file("gsm8k/train.jsonl.gz"))
        return kind(path=str(data_file(files[kind])), **options)

    return call


def template(file: str, field: str) -> Callable[..., str]:
    """Return what renders a field of one of lm-eval's tasks."""
    spec = find_spec("lm_eval")
    assert spec is not None
    content = yaml.load(Path(str(spec.origin)).with_name("tasks").joinpath(file).read_text(), Loader)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(content[field]).render


def test_humaneval(build: Build) -> None:
    plain = template("humaneval/humaneval.yaml", "doc_to_text")
    asked = template("humaneval/humaneval_instruct.yaml", "doc_to_text")
    begun = template("humaneval/humaneval_instruct.yaml", "gen_prefix")
    task = build(HumanEval)
    for document in task.documents(5):
        assert task.raw_prompt(document, []) == plain(prompt=document.question)
        assert task.user_turn(document) == asked(prompt=document.question)
        assert task.response_prefix(document) == begun(prompt=document.question)


def test_mbpp(build: Build) -> None:
    plain, shown = (template("mbpp/mbpp.yaml", field) for field in ("doc_to_text", "doc_to_target"))
    asked, answered, begun = (
        template("mbpp/mbpp_instruct.yaml", field) for field in ("doc_to_text", "doc_to_target", "gen_prefix")
    )
    task = build(MBPP)
    examples = task.fewshot(3)

    def fields(document: Any) -> dict[str, Any]:
        return {"text": document.question, "code": document.solution, "test_list": document.target.split("\n")}

    for document in task.documents(5):
        shots = [plain(fields(one)) + shown(fields(one), is_fewshot=True) + "\n\n" for one in examples]
        assert task.raw_prompt(document, examples) == "".join(shots) + plain(fields(document))
        assert task.user_turn(document) == asked(fields(document))
        assert task.response_prefix(document) == begun()
        assert task.assistant_turn(document) == begun() + answered(fields(document), is_fewshot=True)


def test_gsm8k_keeps_the_annotations_as_lm_eval_does(build: Build) -> None:
    asked, answered = (template("gsm8k/gsm8k.yaml", field) for field in ("doc_to_text", "doc_to_target"))
    task = build(GSM8K)
    document, (example,) = task.documents(1)[0], task.fewshot(1)
    shot = f"{asked(question=example.question)} {answered(answer=example.solution)}\n\n"
    assert "<<" in shot
    assert task.raw_prompt(document, [example]) == shot + asked(question=document.question)


def test_math500(build: Build) -> None:
    """lm-eval words it in Python, in a module that cannot be imported beside Hydra."""
    task = build(Math500)
    document, example = task.documents(2)
    shot = f"Problem:\n{example.question}\n\nSolution: {example.solution}\n\n"
    assert task.raw_prompt(document, [example]) == f"{shot}Problem:\n{document.question}\n\nSolution:"
    assert task.user_turn(document).startswith(f"{document.question}\n")
    assert r"\boxed{}" in task.user_turn(document)


@pytest.mark.parametrize("model", ["dream", "dream_base"])
@pytest.mark.parametrize("kind", [GSM8K, HumanEval, Math500, MBPP])
@pytest.mark.slow
def test_every_prompt_leaves_room_for_the_presets_response(
    model: str, kind: type[Task], build: Build, dream: Qwen2TokenizerFast
) -> None:
    chat = model == "dream"
    preset = yaml.safe_load((REPOSITORY / "conf" / "preset" / f"{model}_{kind.__name__.lower()}.yaml").read_text())
    context = yaml.safe_load((REPOSITORY / "conf" / "model" / f"{model}.yaml").read_text())["model"]["context_length"]
    task = build(kind, chat=chat, num_fewshot=preset["task"]["num_fewshot"])
    task.add_bos = preset["task"].get("add_bos", False)
    examples = task.fewshot(task.num_fewshot)
    documents = task.documents(None)
    longest = sorted(documents, key=lambda one: len(task.user_turn(one) + task.response_prefix(one)))[-20:]
    for document in longest:
        prompt = render(dream, task, document, examples, chat)
        assert dream.convert_ids_to_tokens(prompt[0]) == ("<|im_start|>" if chat else "<|beginoftext|>")
        assert len(prompt) + preset["generation"]["gen_length"] <= context
        assert dream.decode(prompt).endswith(task.response_prefix(document) if chat else task.raw_prompt(document, []))
