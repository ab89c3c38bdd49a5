"""Chats in which the prompt begins the assistant's turn: id for id those that lm-eval renders."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from transformers import PreTrainedTokenizerBase

from ssd.tasks.code_task import CodeTask
from ssd.tasks.humaneval import HumanEval
from ssd.tasks.mbpp import MBPP
from ssd.tasks.prompts import render
from tests.tasks.own_tasks import TASK, write_rows

DataFile = Callable[[str], Path]

CASES = {
    "humaneval": (HumanEval, "humaneval/HumanEval.jsonl.gz", "humaneval_instruct.yaml"),
    "mbpp": (MBPP, "mbpp/mbpp.jsonl", "mbpp_instruct.yaml"),
}


class Loader(yaml.SafeLoader):
    """Reads lm-eval's tasks without the functions that they name: none of them makes a prompt."""


Loader.add_constructor("!function", lambda loader, node: None)


@pytest.fixture(params=["dream", "llada"])
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    return request.getfixturevalue(request.param)


def rendered_by_lm_eval(tokenizer: Any, file: Path, rows: list[dict[str, Any]], folder: Path) -> list[str]:
    """Return the chats that lm-eval makes of the rows, with the words of one of its own tasks."""
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.api_models import TemplateAPI

    words = yaml.load(file.read_text(), Loader)
    own = {key: words[key] for key in ("doc_to_text", "gen_prefix")}
    splits = {"test": str(write_rows(folder / "rows.jsonl", rows))}
    changes = {"training_split": None, "dataset_kwargs": {"data_files": splits}, "doc_to_target": "", **own}
    task = ConfigurableTask(config={key: value for key, value in (TASK | changes).items() if key != "filter_list"})
    model = SimpleNamespace(tokenizer=tokenizer, tokenizer_backend="huggingface", tokenized_requests=True)
    return [
        task.fewshot_context(
            row,
            num_fewshot=0,
            apply_chat_template=True,
            fewshot_as_multiturn=True,
            chat_template=partial(TemplateAPI.apply_chat_template, model),
            gen_prefix=task.doc_to_prefix(row),
        )
        for row in task.test_docs()
    ]


@pytest.mark.parametrize("name", CASES)
def test_prompts_are_lm_evals(
    name: str, tokenizer: PreTrainedTokenizerBase, data_file: DataFile, tmp_path: Path
) -> None:
    import lm_eval

    kind, local, words = CASES[name]
    task: CodeTask = kind(path=str(data_file(local)))
    documents = task.documents(20)
    rows = [
        {"prompt": one.question, "text": one.question, "test_list": one.target.split("\n"), "code": one.solution}
        for one in documents
    ]
    file = Path(lm_eval.__file__).parent / "tasks" / name / words
    theirs = rendered_by_lm_eval(tokenizer, file, rows, tmp_path)
    for document, chat in zip(documents, theirs, strict=True):
        assert chat.rstrip().endswith(task.response_prefix(document).rstrip()), "its turn was not begun"
    ours = [render(tokenizer, task, document, [], chat=True) for document in documents]
    assert ours == [tokenizer.encode(chat, add_special_tokens=False) for chat in theirs]
