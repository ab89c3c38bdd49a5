"""question_answer: a user's own file of questions and answers."""

from pathlib import Path
from typing import Any

import pytest

from ssd.tasks.question_answer import QuestionAnswer
from tests.tasks.own_tasks import rows, write_rows


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write_rows(tmp_path / "own.jsonl", rows(1)))


def test_rows_are_documents(file: str) -> None:
    task = QuestionAnswer(path=file)
    documents = task.documents(None)
    assert [(one.question, one.target) for one in documents] == [(row["question"], row["answer"]) for row in rows(1)]
    assert task.documents(2) == documents[:2]
    assert task.turns(documents[0], []) == [{"role": "user", "content": "What is 1 + 1?"}]


def test_numbers_are_compared_by_value(file: str) -> None:
    task = QuestionAnswer(path=file)
    document = task.documents(1)[0]
    assert task.verdict("1 + 1 = 2.0 apples", document).correct
    assert not task.verdict("It is 3.", document).correct
    assert task.verdict("no idea", document).answer is None


@pytest.mark.parametrize("answer", [7, 7.5, "#### 7", "The answer is 7"])
def test_an_answer_may_be_a_number_or_contain_one(tmp_path: Path, answer: Any) -> None:
    path = write_rows(tmp_path / "own.jsonl", [{"q": "?", "a": answer}])
    document = QuestionAnswer(path=str(path), question="q", answer="a").documents(None)[0]
    assert document.target == ("7.5" if answer == 7.5 else "7")


def test_texts_are_compared_exactly(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "own.jsonl", [{"question": "Capital of France?", "answer": "Paris"}])
    task = QuestionAnswer(path=str(path), scoring="exact")
    document = task.documents(None)[0]
    assert task.verdict(" paris.\n", document).correct
    assert not task.verdict("It is Paris", document).correct
    plain = QuestionAnswer(path=str(path), scoring="exact", chat=False)
    assert plain.verdict(" Paris\nQuestion: another?", document).correct


def test_examples_come_from_a_file_of_their_own(tmp_path: Path, file: str) -> None:
    shots = str(write_rows(tmp_path / "shots.jsonl", rows(50, count=2)))
    task = QuestionAnswer(path=file, fewshot_path=shots, num_fewshot=1, chat=False)
    prompt = task.raw_prompt(task.documents(1)[0], task.fewshot(1))
    assert prompt == "Question: What is 50 + 1?\nAnswer: 51\n\nQuestion: What is 1 + 1?\nAnswer:"
    with pytest.raises(ValueError, match=r"task\.num_fewshot is 3; there are 2 examples; pass task\.fewshot_path"):
        task.fewshot(3)


def test_what_cannot_be_scored_is_refused(tmp_path: Path, file: str) -> None:
    with pytest.raises(ValueError, match=r"task\.path is null; .*; pass task\.path=FILE\.jsonl"):
        QuestionAnswer()
    with pytest.raises(ValueError, match=r"task\.scoring is 'fuzzy'; expected number or exact"):
        QuestionAnswer(path=file, scoring="fuzzy")
    path = write_rows(tmp_path / "words.jsonl", [{"question": "?", "answer": "Paris"}])
    with pytest.raises(ValueError, match=r"line 1: field 'answer' is 'Paris'; expected a number; .*scoring=exact"):
        QuestionAnswer(path=str(path)).documents(None)
