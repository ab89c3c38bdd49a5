"""The synthetic language: determinism, disjoint splits, right answers."""

import random
import re
from typing import Any

import pytest

from ssd.tasks.tiny_language import TASKS, Split, documents, drills, response, user_message, word_problem

STEP = re.compile(r"(\d+) ([-+*]) (\d+) = (-?\d+)")


def compute(left: int, sign: str, right: int) -> int:
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_smaller_count_is_a_prefix(task: str, split: Split) -> None:
    assert documents(task, split, 7, seed=3) == documents(task, split, 20, seed=3)[:7]
    assert documents(task, split, 7, seed=3) != documents(task, split, 7, seed=4)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.slow
def test_no_test_document_is_ever_a_training_document(task: str) -> None:
    train = {user_message(task, each) for seed in (0, 1) for each in documents(task, "train", 3000, seed)}
    test = [user_message(task, each) for each in documents(task, "test", 200, seed=0)]
    assert len(set(test)) == len(test)
    assert not train & set(test)


def test_a_function_of_one_code_task_is_in_the_same_split_of_the_other() -> None:
    train = {str(each["code"]) for each in documents("tiny_mbpp", "train", 3000, seed=0)}
    test = {response("tiny_humaneval", each) for each in documents("tiny_humaneval", "test", 200, seed=0)}
    assert not {f"```python\n{code}\n```" for code in train} & test


def test_worked_solutions_are_right() -> None:
    for document in documents("tiny_math", "test", 500, seed=5):
        *lines, last = str(document["answer"]).split("\n")
        results = []
        for line in lines:
            left, sign, right, result = STEP.search(line).groups()  # type: ignore[union-attr]
            assert compute(int(left), sign, int(right)) == int(result)
            results.append(int(result))
        assert 2 <= len(lines) <= 3
        assert last == f"#### {results[-1]}"
        assert all(0 <= result <= 99 for result in results)


def test_every_number_of_a_solution_is_given_or_computed_before() -> None:
    generator = random.Random(0)
    for _ in range(500):
        problem = word_problem(generator)
        known = set(re.findall(r"\d+", problem.question))
        for line in problem.lines:
            left, _, right, result = STEP.search(line).groups()  # type: ignore[union-attr]
            assert {left, right} <= known
            known.add(result)


def test_reference_functions_pass_their_tests() -> None:
    for document in documents("tiny_humaneval", "test", 200, seed=1):
        scope: dict[str, Any] = {}
        exec(f"{document['prompt']}{document['canonical_solution']}\n{document['test']}", scope)
        scope["check"](scope[str(document["entry_point"])])
    for document in documents("tiny_mbpp", "test", 200, seed=1):
        tests = document["test_list"]
        assert len(tests) == 3
        exec("\n".join([str(document["code"]), *tests]), {})


def test_drills_are_right() -> None:
    for drill in drills(500, seed=0):
        left, sign, right, result = STEP.fullmatch(drill).groups()  # type: ignore[union-attr]
        assert compute(int(left), sign, int(right)) == int(result) >= 0
    assert drills(5, seed=0) == drills(9, seed=0)[:5]


@pytest.mark.slow
def test_mistakes_have_clear_messages() -> None:
    with pytest.raises(ValueError, match="no task 'gsm8k' in the tiny language"):
        documents("gsm8k", "test", 1, seed=0)
    with pytest.raises(ValueError, match="no split 'dev'"):
        documents("tiny_math", "dev", 1, seed=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="count must not be negative"):
        documents("tiny_math", "test", -1, seed=0)
    with pytest.raises(ValueError, match="no 100000 distinct test documents"):
        documents("tiny_mbpp", "test", 100_000, seed=0)
