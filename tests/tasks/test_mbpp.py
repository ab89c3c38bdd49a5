"""MBPP on its real files: splits, examples, and that its own solutions score 100 % and its prompts 0."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ssd.tasks.code_task import NO_PROGRAM
from ssd.tasks.mbpp import MBPP
from ssd.tasks.task import Document
from tests.effort import LONG, some

DataFile = Callable[[str], Path]
ROW = {"task_id": 11, "text": "Return x.", "code": "def f(x):\n    return x", "test_list": ["assert f(1) == 1"]}


@pytest.fixture(scope="module", params=[True, False], ids=["chat", "plain"])
def task(request: pytest.FixtureRequest, data_file: DataFile) -> Iterator[MBPP]:
    task = MBPP(path=str(data_file("mbpp/mbpp.jsonl")), chat=request.param)
    yield task
    task.close()


def fenced(document: Document) -> str:
    return f"Here is the function:\n\n```python\n{document.solution}\n```\n\nIt doesn't print."


def continued(document: Document) -> str:
    """What a model writes whose fence was opened for it, with an example call in a second block."""
    return f"{document.solution}\n```\n\nIt works:\n\n```python\nprint(1)\n```"


def on_the_next_line(document: Document) -> str:
    """The same where the template has stripped the newline after the opened fence, and the model writes it."""
    return f"\n{continued(document)}"


def marked(document: Document) -> str:
    return f"{document.solution}\n[DONE]\n\nYou are an expert Python programmer, and here is your task: Write more."


@pytest.mark.slow
def test_canonical_solutions_are_correct(task: MBPP) -> None:
    """In the ways in which a prompt leads a model to answer: a chat's opens a fence, a plain one shows [DONE]."""
    documents = task.documents(30 if LONG else 6)
    for response in (fenced, continued, on_the_next_line) if task.chat else (fenced, marked):
        verdicts = task.judge([(response(document), document) for document in documents])
        assert {verdict.reason for verdict in verdicts} == {"passed"}, response.__name__


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mbpp.jsonl", "sanitized-mbpp.json"])
def test_tasks_with_a_set_up_are_correct(name: str, data_file: DataFile) -> None:
    task = MBPP(path=str(data_file(f"mbpp/{name}")))
    documents = [document for document in task.documents(None) if document.setup.strip()]
    try:
        assert documents
        assert all(task.verdict(fenced(document), document).correct for document in documents)
    finally:
        task.close()


@pytest.mark.slow
def test_no_prompt_is_an_answer(task: MBPP) -> None:
    documents, examples = some(task.documents(None), 12), task.fewshot(3)
    for shots in ([], examples):
        verdicts = task.judge([(task.raw_prompt(document, shots), document) for document in documents])
        assert {(one.answer, one.correct, one.reason) for one in verdicts} == {(None, False, NO_PROGRAM)}
    assert not any(one.correct for one in task.judge([(task.user_turn(one), one) for one in documents]))


@pytest.mark.slow
def test_the_test_split_is_tasks_11_to_510_without_the_longest(data_file: DataFile) -> None:
    file = data_file("mbpp/mbpp.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    whole = MBPP(path=str(file), skip=[]).documents(None)
    assert [document.question for document in whole] == [row["text"] for row in rows if 11 <= row["task_id"] <= 510]
    assert [document.index for document in whole] == list(range(500))
    documents = MBPP(path=str(file)).documents(None)
    assert documents == [document for document in whole if document.index != 493 - 11]
    assert max(len(document.target) for document in documents) < 2700 < len(whole[493 - 11].target)
    assert MBPP(path=str(file)).documents(5) == documents[:5]
    assert len(MBPP(path=str(data_file("mbpp/sanitized-mbpp.json"))).documents(None)) == 257


def test_examples_are_tasks_2_3_and_4(data_file: DataFile) -> None:
    for name in ("mbpp.jsonl", "sanitized-mbpp.json"):
        task = MBPP(path=str(data_file(f"mbpp/{name}")), chat=False)
        assert task.num_fewshot == 3
        examples = task.fewshot(3)
        assert [example.names for example in examples] == [
            ("similar_elements",),
            ("is_not_prime",),
            ("heap_queue_largest",),
        ]
        assert task.fewshot(2) == examples[:2]
        assert task.fewshot(0) == []
        with pytest.raises(ValueError, match=r"task\.num_fewshot is 4; there are 3 examples; ask for fewer"):
            task.fewshot(4)
    assert MBPP(chat=True).num_fewshot == 0
    assert MBPP(chat=True, num_fewshot=1).num_fewshot == 1


def test_a_file_without_what_is_asked_for_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(ROW | {"task_id": 601}))
    with pytest.raises(ValueError, match=r"no task of MBPP's test split; expected task ids from 11 to 510; .*=null"):
        MBPP(path=str(file)).documents(None)
    with pytest.raises(ValueError, match=r"has no task 2, which task\.num_fewshot=1 asks for; .*task\.num_fewshot=0"):
        MBPP(path=str(file)).fewshot(1)
    for change, message in (
        ({"task_id": 11, "code": "x = '\0'"}, r"line 1: field 'code', 'test_list' or its set-up is no Python"),
        ({"task_id": "mbpp/11"}, r"line 1: field 'task_id' is 'mbpp/11'; expected MBPP's number"),
        ({"task_id": 11, "test_list": []}, r"line 1: field 'test_list' is \[\]; expected a list of strings"),
        ({"task_id": 11, "code": "def f(x"}, r"line 1: field 'code', 'test_list' or its set-up is no Python"),
        ({"task_id": 11, "text": None}, r"line 1: field 'text' is None"),
    ):
        file.write_text(json.dumps(ROW | change))
        with pytest.raises(ValueError, match=message):
            MBPP(path=str(file)).documents(None)


@pytest.mark.parametrize(
    ("setup", "read"),
    [
        ({}, ""),
        ({"test_imports": None}, ""),
        ({"test_imports": "import math"}, "import math"),
        ({"test_imports": ["import math", "import re"]}, "import math\nimport re"),
        ({"test_setup_code": None, "test_imports": ["import re"]}, "import re"),
        ({"test_setup_code": ["import re"]}, "import re"),
        ({"test_setup_code": "import re", "test_imports": []}, "import re"),
    ],
)
def test_set_ups_are_a_text_a_list_or_null(setup: dict[str, object], read: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(ROW | setup))
    (document,) = MBPP(path=str(file)).documents(None)
    assert document.setup.strip() == read


@pytest.mark.parametrize("setup", [{"test_imports": 5}, {"test_imports": [None]}, {"test_setup_code": {"a": 1}}])
def test_set_ups_of_another_kind_are_refused(setup: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(ROW | setup))
    with pytest.raises(ValueError, match=r"line 1: field 'test_\w+' is .*; expected a string, a list of strings"):
        MBPP(path=str(file)).documents(None)


def test_a_response_of_many_lines_is_not_read_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(ROW))
    task = MBPP(path=str(file))
    (document,) = task.documents(None)
    long = [piece * 30_000 for piece in ("def g(x):\n    return x\n", "try:\n", "class A:\n", "```\n")]
    try:
        verdicts = task.judge([(text, document) for text in [*long, "x = 1; " * 50_000, document.solution]])
    finally:
        task.close()
    read = "code is read from at most"
    lines = [f"{NO_PROGRAM}: the response has {count} lines; {read} 5000" for count in (60_001, 30_001)]
    characters = f"{NO_PROGRAM}: the response has 350000 characters; {read} 250000"
    assert [verdict.reason for verdict in verdicts] == [lines[0], *[lines[1]] * 3, characters, "passed"]


@pytest.mark.parametrize("skip", [None, 493, [10], ["493"], "493"])
@pytest.mark.slow
def test_skip_must_be_a_list_of_test_tasks(skip: object) -> None:
    with pytest.raises(ValueError, match=r"task\.skip is .*; expected a list of task ids from 11 to 510; pass"):
        MBPP(skip=skip)  # type: ignore[arg-type]
