"""qa: a user's own file of questions and answers."""

from pathlib import Path
from typing import Any

import pytest

from ssd.tasks.qa import QuestionAnswer
from ssd.tasks.task import Verdict
from tests.tasks.own_tasks import rows, write_rows


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write_rows(tmp_path / "own.jsonl", rows(1)))


def verdict(folder: Path, metric: str, answer: Any, text: str, **options: Any) -> Verdict:
    path = write_rows(folder / "own.jsonl", [{"question": "Paris or Rome?", "answer": answer}])
    task = QuestionAnswer(path=str(path), metric=metric, **options)
    return task.verdict(text, task.documents(None)[0])


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


@pytest.mark.parametrize(
    ("answer", "target"),
    [
        (7, "7"),
        (7.5, "7.5"),
        (1e22, "1" + "0" * 22),
        ("#### 7", "7"),
        ("9 - 2 = 7\n#### 7", "7"),
        ("The answer is 7", "7"),
        ("$1,234.50", "1234.5"),
    ],
)
def test_an_answer_may_be_a_number_or_contain_one(tmp_path: Path, answer: Any, target: str) -> None:
    path = write_rows(tmp_path / "own.jsonl", [{"q": "?", "a": answer}])
    assert QuestionAnswer(path=str(path), question="q", answer="a").documents(None)[0].target == target


@pytest.mark.parametrize(
    ("metric", "answer", "text", "expected"),
    [
        ("exact", "Paris", " paris.\n", "paris"),
        ("exact", "Paris", "It is Paris", None),
        ("exact", "Paris", "", None),
        ("contains", "Paris", "It is *PARIS*, of course.", "paris"),
        ("contains", "New  York", "in New\nYork.", "new york"),
        ("contains", "C++", "I take C++.", "c++"),
        ("contains", "Paris", "Parisians", None),
        ("contains", 4, "It is 14.", None),
        ("contains", "Paris", "Paris or Rome? Rome.", None),
        ("regex", r"(?i)\bparis\b", "It is Paris.", "Paris"),
        ("regex", "Paris$", "Paris, France", None),
        ("regex", "Paris", "Paris or Rome? Rome.", None),
        ("regex", "Paris", "<|endoftext|>Paris", None),
    ],
)
def test_a_metric_decides_which_text_is_correct(
    tmp_path: Path, metric: str, answer: Any, text: str, expected: str | None
) -> None:
    found = verdict(tmp_path, metric, answer, text)
    assert found.correct is (expected is not None)
    if metric != "exact":
        assert found.answer == expected


@pytest.mark.parametrize("metric", ["exact", "contains", "regex"])
def test_a_base_models_next_question_is_no_answer(tmp_path: Path, metric: str) -> None:
    assert verdict(tmp_path, metric, "paris", " paris\nQuestion: another?", chat=False).correct
    assert not verdict(tmp_path, metric, "paris", " rome\nQuestion: paris?", chat=False).correct


def test_examples_come_from_a_file_of_their_own(tmp_path: Path, file: str) -> None:
    shots = str(write_rows(tmp_path / "shots.jsonl", rows(50, count=2)))
    task = QuestionAnswer(path=file, fewshot_path=shots, num_fewshot=1, chat=False)
    prompt = task.raw_prompt(task.documents(1)[0], task.fewshot(1))
    assert prompt == "Question: What is 50 + 1?\nAnswer: 51\n\nQuestion: What is 1 + 1?\nAnswer:"
    with pytest.raises(
        ValueError, match=r"task\.num_fewshot is 3; there are 2 examples; ask for fewer, or pass task\.fewshot_path"
    ):
        task.fewshot(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^task\.path is null; task=qa reads your own file; pass task\.path=FILE\.jsonl$"),
        ({"path": "a.jsonl", "metric": "fuzzy"}, r"task\.metric is 'fuzzy'; expected one of number, exact, contains"),
        ({"path": "a.jsonl", "metric": "regex", "num_fewshot": 1}, r"task\.num_fewshot is 1; expected 0, because"),
    ],
)
def test_an_option_that_cannot_work_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuestionAnswer(**options)


def test_a_file_that_does_not_exist_is_refused_by_its_option(file: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"^task\.path=/no/such\.jsonl does not exist; pass"):
        QuestionAnswer(path="/no/such.jsonl").documents(None)
    with pytest.raises(FileNotFoundError, match=r"^task\.fewshot_path=/no/such\.jsonl does not exist"):
        QuestionAnswer(path=file, fewshot_path="/no/such.jsonl", num_fewshot=1).fewshot(1)


@pytest.mark.parametrize(
    ("metric", "answer", "message"),
    [
        ("number", "Paris", "task.metric=number expects one number, in digits; correct the line, or pass another"),
        ("number", "3/4", "task.metric=number expects one number"),
        ("number", "10:30", "task.metric=number expects one number"),
        ("number", "1e5", "task.metric=number expects one number"),
        ("number", True, "expected a non-empty string"),
        ("exact", ".", "task.metric=exact expects text"),
        ("exact", ["Paris"], "expected a non-empty string"),
        ("regex", "(Paris", r"task.metric=regex expects a regular expression \(missing \)"),
        ("regex", "x*", "task.metric=regex expects a regular expression that does not match every text"),
    ],
)
def test_a_row_that_cannot_be_scored_is_refused_by_file_and_line(
    tmp_path: Path, metric: str, answer: Any, message: str
) -> None:
    path = write_rows(tmp_path / "own.jsonl", [{"question": "?", "answer": "7"}, {"question": "?", "answer": answer}])
    with pytest.raises(ValueError, match=rf"own\.jsonl line 2: field 'answer' is .*{message}") as caught:
        QuestionAnswer(path=str(path), metric=metric).documents(None)
    assert "\n" not in str(caught.value)
