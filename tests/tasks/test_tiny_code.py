"""tiny_humaneval and tiny_mbpp: generated functions, asked and answered as in training, judged like the real ones."""

from collections.abc import Iterator

import pytest

from ssd.tasks import tiny_language
from ssd.tasks.code_task import NO_PROGRAM
from ssd.tasks.tiny_code import TinyCode, TinyHumanEval, TinyMBPP
from tests.effort import LONG

KINDS = {"tiny_humaneval": TinyHumanEval, "tiny_mbpp": TinyMBPP}


@pytest.fixture(scope="module", params=KINDS)
def task(request: pytest.FixtureRequest) -> Iterator[TinyCode]:
    task = KINDS[request.param](request.param)
    yield task
    task.close()


@pytest.mark.slow
def test_every_response_of_training_is_correct_and_no_question_is(task: TinyCode) -> None:
    documents = task.documents(40 if LONG else 15)
    verdicts = task.judge([(document.solution, document) for document in documents])
    assert {(verdict.correct, verdict.reason) for verdict in verdicts} == {(True, "passed")}
    verdicts = task.judge([(document.question, document) for document in documents])
    assert {(one.answer, one.correct, one.reason) for one in verdicts} == {(None, False, NO_PROGRAM)}


def test_the_chat_is_that_of_training(task: TinyCode) -> None:
    records = tiny_language.documents(task.name, "test", 5, seed=0)
    for document, record in zip(task.documents(5), records, strict=True):
        asked = {"role": "user", "content": tiny_language.user_message(task.name, record)}
        assert task.turns(document, []) == [asked]
        assert task.response_prefix(document) == ""
        assert document.solution == tiny_language.response(task.name, record)
    document, (example,) = task.documents(1)[0], task.fewshot(1)
    shown, answered, asked = task.turns(document, [example])
    assert (shown["content"], answered["content"]) == (example.question, example.solution)
    assert task.raw_prompt(document, [example]) == f"{example.question}\n{example.solution}\n\n{document.question}\n"


def test_a_function_that_does_something_else_is_wrong(task: TinyCode) -> None:
    documents = task.documents(8)
    other = [document.solution.replace("return ", "return 1 + 0 * ", 1) for document in documents]
    verdicts = task.judge(list(zip(other, documents, strict=True)))
    assert not any(verdict.correct for verdict in verdicts)
    assert verdicts[0].reason.startswith(("wrong answer: assert", "exception"))


def test_documents_are_the_same_every_time_and_none_is_an_example(task: TinyCode) -> None:
    kind = type(task)
    documents = task.documents(None)
    assert [document.index for document in documents] == list(range(100))
    assert kind("again").documents(7) == documents[:7]
    assert kind("few", documents=5).documents(7) == documents[:5]
    assert kind("other", seed=1).documents(None) != documents
    assert {document.question for document in documents}.isdisjoint(one.question for one in task.fewshot(50))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"documents": 0}, r"task\.documents is 0; expected an integer of at least 1"),
        ({"seed": -1}, r"task\.seed is -1; expected an integer of at least 0"),
        ({"path": "a.jsonl"}, r"task\.path=a\.jsonl; expected null, because tiny_mbpp is generated; pass task=mbpp"),
    ],
)
@pytest.mark.slow
def test_constructor_refuses(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TinyMBPP("tiny_mbpp", **arguments)  # type: ignore[arg-type]
