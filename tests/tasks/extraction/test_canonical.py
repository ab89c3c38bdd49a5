"""The data sets' own solutions, in every wrapping that models give them, come out as they went in."""

import ast
import gzip
import json
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ssd.tasks.extraction.code import humaneval_program, mbpp_program
from tests.effort import some
from tests.tasks.extraction.programs import definitions

# Extraction is silent about the style of what it reads; the tests' own ast.parse and compile are not.
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")

Row = dict[str, str]


def without_typing(code: str) -> str:
    return "".join(line for line in code.splitlines(keepends=True) if not line.startswith("from typing"))


def fenced(code: str) -> str:
    return f"Here's the function:\n\n```python\n{code}```\n\nIt doesn't print (it's pure)."


# (prompt, solution) -> response
COMPLETIONS: dict[str, Callable[[str, str], str]] = {
    "as it is": lambda prompt, solution: solution,
    "first indentation eaten": lambda prompt, solution: solution.lstrip(),
    "first indentation eaten but one space": lambda prompt, solution: f" {solution.lstrip()}",
    "all indentation eaten": lambda prompt, solution: textwrap.dedent(solution),
    "another function after": lambda prompt, solution: f"{solution}\n\ndef other(x):\n    return x\n",
    "usage after": lambda prompt, solution: f"{solution}\n\nprint(input())\n",
    "prose after": lambda prompt, solution: f"{solution}\nIt doesn't print.\n",
    "fence after": lambda prompt, solution: f"{solution}```\n\nIt doesn't print.",
    "prompt repeated": lambda prompt, solution: prompt + solution,
    "tabs": lambda prompt, solution: solution.replace("    ", "\t"),
    "CRLF": lambda prompt, solution: solution.replace("\n", "\r\n"),
}
CHATS: dict[str, Callable[[str, str], str]] = {
    "signature repeated": lambda prompt, solution: fenced(prompt + solution),
    "typing imports dropped": lambda prompt, solution: fenced(without_typing(prompt + solution)),
    "body only": lambda prompt, solution: fenced(solution),
    "body only, without indentation": lambda prompt, solution: fenced(textwrap.dedent(solution)),
    "never closed": lambda prompt, solution: f"Sure:\n```python\n{prompt}{solution}",
    "no fence": lambda prompt, solution: f"Here's the function:\n{prompt}{solution}\nIt doesn't print.",
    "usage in a second block": lambda prompt, solution: fenced(prompt + solution) + "\n```python\nprint(input())\n```",
    "a fence that the prompt opened": lambda prompt, solution: f"{solution}```\n\nIt doesn't print.",
    "CRLF": lambda prompt, solution: fenced(prompt + solution).replace("\n", "\r\n"),
}


@pytest.fixture(scope="module")
def humaneval(data_file: Callable[[str], Path]) -> list[Row]:
    with gzip.open(data_file("humaneval/HumanEval.jsonl.gz"), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def mbpp(data_file: Callable[[str], Path]) -> list[dict]:
    return [json.loads(line) for line in data_file("mbpp/mbpp.jsonl").read_text("utf-8").splitlines()]


STYLES = [*((False, wrap) for wrap in COMPLETIONS), *((True, wrap) for wrap in CHATS)]


@pytest.mark.slow
@pytest.mark.parametrize(("style", "wrap"), STYLES)
def test_humaneval_solutions(humaneval: list[Row], style: bool, wrap: str) -> None:
    """Every wrapping on every third solution, and every solution in every third wrapping."""
    wrapped = (CHATS if style else COMPLETIONS)[wrap]
    for row in some(humaneval, 3, STYLES.index((style, wrap))):
        prompt, solution, name = row["prompt"], row["canonical_solution"], row["entry_point"]
        program = humaneval_program(wrapped(prompt, solution), prompt, name, style)
        assert program is not None, row["task_id"]
        assert definitions(program) == definitions(prompt + solution), row["task_id"]
        imports = (ast.Import, ast.ImportFrom)
        for node in ast.parse(prompt).body:
            if isinstance(node, imports):
                assert ast.dump(node) in [ast.dump(kept) for kept in ast.parse(program).body], row["task_id"]


@pytest.mark.slow
@pytest.mark.parametrize("chat", [False, True])
def test_a_humaneval_prompt_is_no_answer(humaneval: list[Row], chat: bool) -> None:
    for row in some(humaneval, 3):
        for text in ("", row["prompt"], fenced(row["prompt"])):
            assert humaneval_program(text, row["prompt"], row["entry_point"], chat) is None, row["task_id"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chat", "wrapping", "place"),
    [
        (False, "{}\n[DONE]\n\nYou are an expert Python programmer", 0),
        (False, "[BEGIN]\n{}\n[DONE]", 1),
        (False, "{}", 2),
        (True, "Here's it:\n\n```python\n{}\n```\n\nIt doesn't print.", 0),
        (True, "```\n{}", 1),
        (True, "Here's it:\n\n{}\n\nIt doesn't print.", 2),
    ],
)
def test_mbpp_solutions(mbpp: list[dict], chat: bool, wrapping: str, place: int) -> None:
    """Every wrapping on every third solution, and every solution in one wrapping of each style."""
    for row in some(mbpp, 3, place):
        program = mbpp_program(wrapping.replace("{}", row["code"]), row["test_list"], chat)
        assert program is not None, row["task_id"]
        assert definitions(program) == definitions(row["code"]), row["task_id"]
