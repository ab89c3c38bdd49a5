r"""MATH-500 on its real file: all targets are correct, no problem is an answer, and Minerva's examples."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from ssd.tasks import math500
from ssd.tasks.math500 import Math500
from ssd.tasks.task import Document

DataFile = Callable[[str], Path]


@pytest.fixture(params=[True, False], ids=["chat", "plain"])
def task(request: pytest.FixtureRequest, data_file: DataFile) -> Math500:
    return Math500(path=str(data_file("math500/test.jsonl")), chat=request.param)


@pytest.mark.parametrize(
    "response",
    [
        lambda document: rf"So it is \(\boxed{{{document.target}}}\), as was to be shown in 2 steps.",
        lambda document: f"Final Answer: The final answer is ${document.target}$. I hope it is correct.",
        lambda document: document.solution,
    ],
    ids=["boxed", "stated", "solution"],
)
def test_every_target_is_correct(task: Math500, response: Callable[[Document], str]) -> None:
    documents = task.documents(None)
    assert len(documents) == 500
    verdicts = task.judge([(response(document), document) for document in documents])
    wrong = [(one, document.target) for document, one in zip(documents, verdicts, strict=True) if not one.correct]
    assert wrong == []
    assert {verdict.reason for verdict in verdicts} == {None}


def test_no_problem_is_an_answer(task: Math500) -> None:
    documents = task.documents(None)
    for text in (lambda document: document.question, task.user_turn, lambda _: ""):
        assert not any(one.correct for one in task.judge([(text(document), document) for document in documents]))
    assert not any(task.verdict(task.raw_prompt(document, []), document).correct for document in documents)


def test_another_value_is_wrong_and_another_notation_is_not(task: Math500) -> None:
    half = Document(index=0, question="What is 1 - 1/2?", target=r"\frac{1}{2}", solution=r"\boxed{\frac{1}{2}}")
    assert task.verdict(r"\boxed{0.5}", half).correct
    assert not task.verdict(r"\boxed{0.6}", half).correct
    assert task.verdict(r"\boxed{0.6}", half).answer == "0.6"


def test_base_models_are_cut_at_the_next_problem() -> None:
    text = " It is $\\boxed{2}$.\n\nProblem:\nAnd 1 more?\n\nSolution: $\\boxed{3}$"
    document = Document(index=0, question="1 + 1?", target="2", solution=r"\boxed{2}")
    assert Math500(chat=False).verdict(text, document).answer == "2"
    assert Math500(chat=True).verdict(text, document).answer == "3"


def test_examples_are_minervas_four(data_file: DataFile) -> None:
    task = Math500(path=str(data_file("math500/test.jsonl")), chat=False)
    assert task.num_fewshot == 4
    assert Math500(chat=True).num_fewshot == 0
    examples = task.fewshot(4)
    assert [example.solution.rpartition("The final answer is ")[2] for example in examples] == [
        f"{answer} I hope it is correct." for answer in ("$[2,5)$.", "$24$.", "$16$.", r"$-\frac{2}{3}$.")
    ]
    assert task.fewshot(2) == examples[:2]
    asked = {document.question for document in task.documents(None)}
    assert asked.isdisjoint(example.question for example in examples)
    with pytest.raises(ValueError, match=r"task\.num_fewshot is 5; there are 4 examples; ask for fewer"):
        task.fewshot(5)


def test_without_lm_eval_there_are_no_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(math500, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"lm_eval is not installed; pip install .*, or pass task\.num_fewshot=0"):
        Math500().fewshot(1)


@pytest.mark.parametrize("source", [None, "", "def list_fewshot_samples():\n    return compute()\n", "x ="])
def test_another_lm_eval_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str | None) -> None:
    file = tmp_path / "tasks" / "minerva_math" / "utils.py"
    file.parent.mkdir(parents=True)
    if source is not None:
        file.write_text(source)
    spec = find_spec("lm_eval")
    monkeypatch.setattr(math500, "find_spec", lambda name: spec)
    monkeypatch.setattr(spec, "origin", str(tmp_path / "__init__.py"))
    with pytest.raises(ValueError, match=r"does not contain MATH's examples as in lm-eval 0\.4\.13"):
        Math500().fewshot(1)
