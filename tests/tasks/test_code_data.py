"""What is wrong with a data set of programs is said before anything is decoded, in one line with its place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ssd.config.plan import make_plan
from ssd.run import loading
from ssd.run.runner import run
from ssd.tasks.code_task import CodeTask
from ssd.tasks.humaneval import HumanEval
from ssd.tasks.mbpp import MBPP
from tests.checkpoints import write_tiny_checkpoint
from tests.runs import composed, short_words

MBPP_ROW = {"task_id": 11, "text": "Add 1.", "code": "def f(x):\n    return x + 1", "test_list": ["assert f(1) == 2"]}
HUMANEVAL_ROW = {
    "task_id": "HumanEval/0",
    "prompt": 'def f(x):\n    """Add 1."""\n',
    "canonical_solution": "    return x + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
    "entry_point": "f",
}
Written = Callable[[dict[str, Any]], CodeTask]


@pytest.fixture
def mbpp(tmp_path: Path) -> Written:
    """Write MBPP with one row of its own, changed."""
    return lambda changes: MBPP(path=written(tmp_path, MBPP_ROW | changes), workers=1)


@pytest.fixture
def humaneval(tmp_path: Path) -> Written:
    return lambda changes: HumanEval(path=written(tmp_path, HUMANEVAL_ROW | changes), workers=1)


def written(folder: Path, row: dict[str, Any]) -> str:
    file = folder / "own.jsonl"
    file.write_text(json.dumps(row))
    return str(file)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": "def g(x):\n    return x"}, "line 1: its tests use nothing that its solution defines; correct them"),
        (
            {"test_list": ["assert f(lambda x: x) == 2"]},
            "line 1: its test code passes a function to f; programs receive",
        ),
        ({"test_list": ["assert f(1, key=lambda x: x) == 2"]}, "line 1: its test code passes a function to f"),
        (
            {"test_setup_code": "import numpy as np"},
            "line 1: its set-up imports numpy; tests can import the standard li",
        ),
        ({"test_list": ["import os, pandas.io", "assert f(1) == 2"]}, "line 1: its test code imports pandas"),
        (
            {"test_list": ["assert f(1) == 2", "return"]},
            r"line 1: its test code is no Python \('return' outside function",
        ),
    ],
)
def test_mbpp(mbpp: Written, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        mbpp(changes).documents(None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": "def check(candidate)\n    pass"}, r"line 1: its test code is no Python \(expected ':'"),
        ({"prompt": "from numpy import array\n" + HUMANEVAL_ROW["prompt"]}, "line 1: its prompt imports numpy"),
        ({"entry_point": "g"}, "line 1: its tests use nothing that its solution defines"),
        ({"entry_point": "f g"}, "line 1: 'prompt' with 'canonical_solution', or 'entry_point', is no Python"),
        (
            {"canonical_solution": "    return " + 20_000 * "-" + "1"},
            r"is no Python \(it is nested too deep\); correct it",
        ),
        ({"canonical_solution": "    return (\n"}, "line 1: 'prompt' with 'canonical_solution', or 'entry_point', is"),
    ],
)
def test_humaneval(humaneval: Written, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        humaneval(changes).documents(None)
    assert "\n" not in str(caught.value)


def test_functions_that_stay_with_the_tests_are_no_objection(mbpp: Written) -> None:
    tests = ["assert sorted([f(1)], key=lambda x: -x) == [2]", "try:\n    import numpy\nexcept ImportError: pass"]
    assert len(mbpp({"test_list": tests}).documents(None)) == 1


@pytest.mark.slow
def test_the_first_documents_own_solution_is_rehearsed(mbpp: Written, humaneval: Written) -> None:
    for build, wrong in (
        (mbpp, {"code": "def f(x):\n    return x"}),
        (humaneval, {"canonical_solution": "    return x"}),
    ):
        for changes in ({}, wrong):
            task = build(changes)
            (document,) = task.documents(None)
            try:
                if not changes:
                    task.rehearse(document)
                    continue
                with pytest.raises(
                    ValueError, match=r"own solution of document 0 is judged wrong \(wrong answer: assert"
                ):
                    task.rehearse(document)
            finally:
                task.close()


def test_a_run_rehearses_before_it_loads_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load_model", lambda *arguments: pytest.fail("weights were loaded"))
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint", "llada")
    path = written(tmp_path, MBPP_ROW | {"code": "def f(x):\n    return x"})
    words = [*short_words(checkpoint, "llada", tmp_path / "results"), "task=mbpp", f"task.path={path}"]
    with pytest.raises(ValueError, match="own solution of document 0 is judged wrong"):
        run(make_plan(composed(*words, "runtime.limit=1")))
    assert not list((tmp_path / "results").glob("*/samples.jsonl"))
