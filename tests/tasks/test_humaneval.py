"""HumanEval on its real file: what is asked, and that its own solutions score 100 % and its prompts 0."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ssd.tasks.code_task import NO_PROGRAM
from ssd.tasks.humaneval import HumanEval
from ssd.tasks.task import Document
from tests.effort import some

DataFile = Callable[[str], Path]


@pytest.fixture(scope="module", params=[True, False], ids=["chat", "plain"])
def task(request: pytest.FixtureRequest, data_file: DataFile) -> Iterator[HumanEval]:
    task = HumanEval(path=str(data_file("humaneval/HumanEval.jsonl.gz")), chat=request.param)
    yield task
    task.close()


def fenced(document: Document) -> str:
    return f"Here is the function:\n\n```python\n{document.question}{document.solution}```\n\nIt doesn't print."


def continued(document: Document) -> str:
    """What a model writes whose turn was begun for it: the body, the end of the fence, and prose."""
    return f"{document.solution}```\n\nIt doesn't print."


@pytest.mark.slow
def test_every_canonical_solution_is_correct(data_file: DataFile) -> None:
    """In both ways to write it; a program that both ways give runs once."""
    task = HumanEval(path=str(data_file("humaneval/HumanEval.jsonl.gz")))
    documents = task.documents(None)
    assert [document.index for document in documents] == list(range(164))
    responses = {
        (document.index, task.extract(response(document), document)): (response(document), document)
        for response in (continued, fenced)
        for document in some(documents, 6)
    }
    try:
        verdicts = task.judge(list(responses.values()))
    finally:
        task.close()
    assert {verdict.reason for verdict in verdicts} == {"passed"}
    assert all(documents[index].names[0] in (source or "") for index, source in responses)


@pytest.mark.slow
def test_a_chat_may_go_on_as_plain_text_does(data_file: DataFile) -> None:
    file = str(data_file("humaneval/HumanEval.jsonl.gz"))
    chat, plain = HumanEval(path=file), HumanEval(path=file, chat=False)
    for document in some(chat.documents(None), 6):
        own = plain.extract(document.solution, document)
        assert own is not None
        # A template that strips the turn that the prompt begins leaves the newline to the model, or makes it forget it.
        for before in ("", "\n", "\r\n", "\n\n", " \n", " "):
            assert chat.extract(before + continued(document), document) == own


@pytest.mark.slow
def test_no_prompt_is_an_answer(task: HumanEval) -> None:
    documents = some(task.documents(None), 12)
    for asked in (task.raw_prompt, lambda document, _: task.user_turn(document), lambda *_: "", lambda *_: "Sure!"):
        verdicts = task.judge([(asked(document, []), document) for document in documents])
        assert {(one.answer, one.correct, one.reason) for one in verdicts} == {(None, False, NO_PROGRAM)}


def test_wrong_programs_are_told_apart(task: HumanEval) -> None:
    document = task.documents(1)[0]
    bodies = {
        "    return None": "wrong answer: assert candidate([1.0",
        "    return missing": "exception: NameError",
        "    import os\n    os._exit(0)\n    return 1": "crashed",
        "    return open('/etc/passwd').read()": ("exception", "forbidden"),
    }
    verdicts = task.judge([(body, document) for body in bodies])
    for verdict, expected in zip(verdicts, bodies.values(), strict=True):
        assert not verdict.correct
        assert verdict.reason.startswith(expected), verdict
    assert task.verdict(document.solution, document).correct


def test_limit_gives_a_prefix_and_a_plain_file_is_as_good(tmp_path: Path, data_file: DataFile) -> None:
    packed = data_file("humaneval/HumanEval.jsonl.gz")
    plain = tmp_path / "HumanEval.jsonl"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    documents = HumanEval(path=str(packed)).documents(None)
    assert HumanEval(path=str(packed)).documents(3) == documents[:3]
    assert HumanEval(path=str(plain)).documents(None) == documents


def test_a_time_limit_ends_a_program(data_file: DataFile) -> None:
    task = HumanEval(path=str(data_file("humaneval/HumanEval.jsonl.gz")), chat=False, workers=1, time_limit_s=0.5)
    try:
        assert "0.5 s" in task.protection()
        verdict = task.verdict("    while True:\n        pass\n    return 1", task.documents(1)[0])
    finally:
        task.close()
    assert verdict.reason.startswith("time limit: it took longer than 0.5 s")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_fewshot": 1}, r"task\.num_fewshot is 1; HumanEval has no examples; pass task\.num_fewshot=0"),
        ({"workers": 0}, r"task\.workers is 0; expected an integer of at least 1"),
        ({"workers": True}, r"task\.workers is True"),
        ({"time_limit_s": 0}, r"task\.time_limit_s is 0; expected seconds per program, above 0; pass task\.time_limit"),
        ({"time_limit_s": "long"}, r"task\.time_limit_s is 'long'"),
        ({"allow_unsafe_code": "no"}, r"task\.allow_unsafe_code is 'no'; expected true or false"),
        ({"chat": 1}, r"task\.chat is 1; expected true or false"),
    ],
)
def test_constructor_refuses(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HumanEval(**arguments)  # type: ignore[arg-type]


def test_a_row_that_lacks_something_is_named(tmp_path: Path) -> None:
    file = tmp_path / "local.jsonl"
    file.write_text(json.dumps({"prompt": "def f():\n", "entry_point": "f", "canonical_solution": "    return 1"}))
    with pytest.raises(ValueError, match=r"local\.jsonl line 1 has no field 'test' \(it has prompt, entry_point"):
        HumanEval(path=str(file)).documents(None)
