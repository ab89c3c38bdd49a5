"""No text makes extraction raise or hang, and what it returns is Python that defines the function."""

import ast
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.tasks.extraction.code import humaneval_program, mbpp_program
from ssd.tasks.extraction.mathematics import extract_answer
from tests.effort import LONG, examples

# Extraction is silent about the style of what it reads; the tests' own ast.parse and compile are not.
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")

PROMPT = 'from typing import List\n\n\ndef foo(xs: List[int]) -> int:\n    """Sum."""\n'
PIECES = [
    *(
        "\n",
        "\n\n",
        " ",
        "    ",
        "\t",
        "\r\n",
        "\0",
        "\ud800",
        "é",
        "```",
        "```python\n",
        "[BEGIN]",
        "[DONE]",
        "<|eot_id|>",
    ),
    *("def foo(xs):", "def foo(a, a):", "def bar():", "class foo:", "async def foo():", "@bar\n", "foo = lambda x: x"),
    *(
        "return xs",
        "return",
        "yield 1",
        "raise",
        "pass",
        "...",
        "foo(",
        ")",
        '"""',
        "'",
        "\\",
        "# no",
        "if x:",
        "else:",
    ),
    *("import math", "from x import *", "from __future__ import annotations", "global foo", "nonlocal foo", "x = 1"),
    *(
        "try:",
        "match x:",
        "It's prose.",
        "'\\d'",
        "1if 2else 3",
        "0777",
        "x is 1",
        ";",
        ":=",
        "await foo",
        "f'{x!r:>{y}}'",
    ),
    *(r"\boxed{", "{", "}", "$", r"\[", r"\]", "The answer is ", "5", "1,000", r"\frac12", "=", "."),
]
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60)


@given(text=texts, chat=st.booleans())
@settings(max_examples=examples(400), deadline=None)
def test_programs_define_the_function(text: str, chat: bool) -> None:
    for program in (humaneval_program(text, PROMPT, "foo", chat), mbpp_program(text, ["assert foo([1]) == 1"], chat)):
        if program is not None:
            assert "foo" in {name for node in ast.parse(program).body for name in defined(node)}


@given(text=texts)
@settings(max_examples=examples(400), deadline=None)
def test_answers_are_not_empty(text: str) -> None:
    answer = extract_answer(text)
    assert answer is None or answer.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["```", "```\n", "def ", "def \n", "@a\n", "if x:\n", "(", '"""', "-", "x.", "return\n", "\\\n"]
)
def test_no_text_makes_programs_take_long(piece: str) -> None:
    start_s, count = time.monotonic(), 2000 if LONG else 1000
    for chat in (False, True):
        humaneval_program(piece * count, PROMPT, "foo", chat)
        mbpp_program(piece * count, ["assert foo([1]) == 1"], chat)
    assert time.monotonic() - start_s < 60


@pytest.mark.parametrize(
    "piece", ["\\boxed{", "{", "\\boxed{1}", "answer is ", "answer: *", "\\[", "$$", "$a ", "1,", "1", "* "]
)
def test_no_text_makes_answers_take_long(piece: str) -> None:
    start_s = time.monotonic()
    extract_answer(f"answer: {piece * 50_000}")
    assert time.monotonic() - start_s < 20


def defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef):
        return [node.name]
    return [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
