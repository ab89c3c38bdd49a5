"""Golden samples of MBPP's extraction version 3: a change here is a new version.

Every text is a response to one task; what its program's `total([1, 2])` gives stands beside it, None for no program.
"""

from textwrap import indent

import pytest

from ssd.tasks.extraction.code import mbpp_program
from tests.tasks.extraction.programs import run

TESTS = ["assert total([1, 2]) == 6", "assert sorted([total([]), 1]) == [0, 1]", "assert total([5]) == 10"]
ANSWER = "def total(numbers):\n    return 2 * sum(numbers)"
WRONG = "def total(numbers):\n    return 0"
FENCED = f"```python\n{ANSWER}\n```"
NEXT_TASK = "You are an expert Python programmer, and here is your task: Write it. Your code should pass these tests:"

BASE: dict[str, tuple[str, int | None]] = {
    "to the marker": (f"{ANSWER}\n[DONE]", 6),
    "marker on the last line": (f"{ANSWER} [DONE]", 6),
    "markers around": (f"[BEGIN]\n{ANSWER}\n[DONE]\n", 6),
    "no marker": (ANSWER, 6),
    "blank lines and a space first": (f"\n\n {ANSWER}\n[DONE]", 6),
    "another task after the marker": (f"{ANSWER}\n[DONE]\n\n{NEXT_TASK}\n\n{TESTS[0]}\n[BEGIN]\n{WRONG}\n[DONE]", 6),
    "another task without the marker": (f"{ANSWER}\n\n{NEXT_TASK}\n\nassert f(1)\n[BEGIN]\ndef f(x):\n    return x", 6),
    "words before the markers": (f"It's easy:\n[BEGIN]\n{ANSWER}\n[DONE]", 6),
    "the tests repeated": (f"{ANSWER}\n\n" + "\n".join(TESTS) + "\n[DONE]", 6),
    "a wrong assert of its own": (f"{ANSWER}\n\nassert total([1]) == 3\nprint(total(input()))\n[DONE]", 6),
    "CRLF": (f"{ANSWER}\n[DONE]\n".replace("\n", "\r\n"), 6),
    "tabs": (f"{ANSWER}\n[DONE]\n".replace("    ", "\t"), 6),
    "imports and a helper": (f"import math\ndef two():\n    return math.floor(2.5)\n{ANSWER.replace('2', 'two()')}", 6),
    "a constant": (f"TWO = 2\n{ANSWER.replace('2', 'TWO')}\n[DONE]", 6),
    "an end token": (f"{ANSWER}\n<|endoftext|>{WRONG}", 6),
    "fenced between markers": (f"[BEGIN]\n{FENCED}\n[DONE]", 6),
    "fenced": (f"{FENCED}\n\nThis works.", 6),
    "quoted": (f" '{ANSWER}'\n[DONE]", 6),
    "quoted, several functions": (f'"def two():\n    return 2\n\n{ANSWER.replace("2", "two()")}"\n[DONE]', 6),
    "quoted three times": (f"'''\n{ANSWER}\n'''\n[DONE]", 6),
    "quoted between markers": (f"[BEGIN]\n '{ANSWER}'\n[DONE]", 6),
    "a docstring first and a quote last": (f'"""It\'s the sum."""\n{ANSWER}\nNAME = "total"', 6),
    "indented after prose": (f"It sums:\n\n{indent(ANSWER, '    ')}\n\nIt works.\n[DONE]", 6),
    "cut off in the next function": (f"{ANSWER}\n\ndef check(x):\n    return (x", 6),
    "cut off in a repetition that could end": (f"{ANSWER}\n\n{WRONG}\n    return (x", 6),
    "written twice": (f"{WRONG}\n\n{ANSWER}\n[DONE]", 6),
    "cut off before it returns": ("def total(numbers):\n    result = 0\n    for n in", None),
    "the marker first": (f"[DONE]\n{ANSWER}", None),
    "another name": ("def sum_all(numbers):\n    return 6\n[DONE]", None),
    "nothing": ("", None),
}

CHAT: dict[str, tuple[str, int | None]] = {
    "fenced": (FENCED, 6),
    "prose around": (f"Here's the function:\n\n{FENCED}\n\nIt doesn't mutate.", 6),
    "no language": (f"```\n{ANSWER}\n```", 6),
    "another case": (f"```PYTHON\n{ANSWER}\n```", 6),
    "never closed": (f"```python\n{ANSWER}", 6),
    "never closed, end token": (f"```python\n{ANSWER}<|eot_id|>\n", 6),
    "the last block that defines it": (f"```python\n{WRONG}\n```\nBetter:\n{FENCED}", 6),
    "usage in a second block": (f"{FENCED}\n```python\nprint(total([int(input())]))\n```\n```text\n6\n```", 6),
    "the tests in the block": (f"```python\n{ANSWER}\n\n" + "\n".join(TESTS) + "\nassert total([1]) == 3\n```", 6),
    "helper in another block": (f"```python\ndef two():\n    return 2\n```\n{FENCED.replace('2', 'two()')}", 6),
    "markers without a fence": (f"[BEGIN]\n{ANSWER}\n[DONE]", 6),
    "markers around a fence": (f"[BEGIN]\n{FENCED}\n[DONE]", 6),
    "another block after a fence that the prompt opened": (f"{ANSWER}\n```\n\nNaive:\n```python\n{WRONG}\n```", 6),
    "another fence within one that the prompt opened": (f"{FENCED}\n\nThis works.", 6),
    "no fence": (f"Here's the code:\n\n{ANSWER}\n\nIt doesn't print.", 6),
    "goes on inside a fence that the prompt opened": (f"{ANSWER}\n```\n\nIt doesn't print.", 6),
    "main guard": (f'```python\n{ANSWER}\n\nif __name__ == "__main__":\n    print(total([1]))\n```', 6),
    "CRLF": (FENCED.replace("\n", "\r\n"), 6),
    "a lambda": ("```python\ntotal = lambda numbers: 2 * sum(numbers)\n```", 6),
    "a class beside it": (f"```python\nclass Two:\n    value = 2\n\n{ANSWER.replace('2', 'Two.value')}\n```", 6),
    "a missing import": ("```python\ndef total(numbers):\n    return 2 * math.fsum(numbers)\n```", NameError),
    "a method": ("```python\nclass Solution:\n    def total(self, numbers):\n        return 6\n```", None),
    "another name": ("```python\ndef sum_all(numbers):\n    return 6\n```", None),
    "one line, on the fence's": ("```python def total(numbers): return 2 * sum(numbers)```", 6),
    "one line, on the fence's, with prose": ("So:\n```py  def total(numbers): return 2 * sum(numbers)```\nIt sums.", 6),
    "code on the fence's line": (f"```python {ANSWER}\n```", 6),
    "indented after prose": (f"It sums:\n\n{indent(ANSWER, '    ')}\n\nIt works.", 6),
    "indented in a list": (f"1. It sums:\n{indent(ANSWER, '   ')}\n2. It works.", 6),
    "indented by a tab": (f"It sums:\n\n{indent(ANSWER, chr(9))}", 6),
    "indented, in two parts": (f"A:\n\n{indent(WRONG, '    ')}\n\nBetter:\n\n{indent(ANSWER, '    ')}", 6),
    "a fence goes before an indented block": (f"{FENCED}\nNot:\n\n{indent(WRONG, '    ')}", 6),
    "a method after a blank line": ("class Solution:\n\n    def total(self):\n        return 6", None),
    "a function in another function": ("def other():\n\n    def total(numbers):\n        return 6", None),
    "nested too deep": (f"```python\n{ANSWER}\nDEEP = {'-' * 20_000}1\n```", None),
    "nested too deep inside": (f"```python\ndef total(numbers):\n    return {'(' * 300}6{')' * 300}\n```", None),
    "prose": ("The function total doubles the sum.", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("text", "total"), BASE.values(), ids=BASE)
def test_base(text: str, total: int | None) -> None:
    check(mbpp_program(text, TESTS, chat=False), total)


@pytest.mark.parametrize(("text", "total"), CHAT.values(), ids=CHAT)
def test_chat(text: str, total: int | type[Exception] | None) -> None:
    check(mbpp_program(text, TESTS, chat=True), total)


def check(program: str | None, total: int | type[Exception] | None) -> None:
    assert (program is None) == (total is None)
    if isinstance(total, int):
        assert run(program)["total"]([1, 2]) == total
    elif total is not None:
        with pytest.raises(total):
            run(program)["total"]([1, 2])


def test_all_definitions_stay_and_what_the_tests_read() -> None:
    text = "class Node:\n    pass\n\ndef other():\n    return 1\n\nROOT = 1\nREST = 2\n\ndef height(x):\n    return x"
    program = mbpp_program(text, ["assert height(ROOT) == 1"], chat=True)
    assert program is not None
    assert set(run(program)) - {"__name__", "__builtins__"} == {"Node", "other", "ROOT", "height"}


def test_a_task_may_ask_for_a_function_with_a_builtins_name() -> None:
    program = mbpp_program("def sum(a, b):\n    return 6\n[DONE]", ["assert sum(10, 15) == 6"], chat=False)
    assert program is not None
    assert run(program)["sum"](10, 15) == 6
