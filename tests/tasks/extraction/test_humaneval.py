"""Golden samples of HumanEval's extraction version 3: a change here is a new version.

Every text is a response to one prompt; what its program's `total([1, 2])` gives stands beside it, None for no program.
"""

from textwrap import indent

import pytest

from ssd.tasks.extraction.code import humaneval_program
from tests.tasks.extraction.programs import run

# Extraction is silent about the style of what it reads; the tests' own ast.parse and compile are not.
pytestmark = pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")

PROMPT = '''import math
from typing import List


def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def total(numbers: List[int]) -> int:
    """Return the sum of twice each number.
    >>> total([1, 2])
    6
    """
'''
BODY = """    result = 0
    for number in numbers:
        result += double(number)
    return result
"""
ANSWER = f"def total(numbers: List[int]) -> int:\n{BODY}"
FENCED = f"```python\n{ANSWER}```"

COMPLETION: dict[str, tuple[str, int | None]] = {
    "the body": (BODY, 6),
    "blank lines first": (f"\n  \n{BODY}", 6),
    "first line's indentation eaten": (BODY.lstrip(), 6),
    "first line's indentation eaten but one space": (f" {BODY.lstrip()}", 6),
    "first line's indentation eaten, one line": ("return 6\n\nprint(total([1]))", 6),
    "all indentation eaten": (
        "result = 0\nfor n in numbers:\n    result += double(n)\nreturn result\nprint(result)",
        6,
    ),
    "all indentation eaten, early return": ("if not numbers:\n    return 0\nreturn 6\n\nprint(total([]))", 6),
    "eaten, and a loop": ("for n in numbers:\n        if n > 5:\n            return n\n    return 6\n", 6),
    "tabs": (BODY.replace("    ", "\t"), 6),
    "CRLF": (BODY.replace("\n", "\r\n"), 6),
    "stop word def, same name": (f"{BODY}\ndef total(numbers):\n    return 0\n", 6),
    "stop word def, cut off": (f"{BODY}\ndef other(x):\n    return (x + ", 6),
    "stop word class": (f"{BODY}\nclass Total:\n    pass\n", 6),
    "stop word #": (f"{BODY}\n# Test the function\ntotal('x')\n", 6),
    "stop word if": (f'{BODY}\nif __name__ == "__main__":\n    print(total([1]))\n', 6),
    "stop word print": (f"{BODY}\nprint(total([1, 2, 3]))\n", 6),
    "stop words inside the body are none": (
        "    if numbers:\n        # all\n        def f(x): return x\n    return f(6)\n",
        6,
    ),
    "a comment at column 0 is inside": ("    result = 6\n# that is all\n    return result\n", 6),
    "prose after the body": (f"{BODY}\nThis function doesn't use (many) \"lines.\n", 6),
    "fence after the body": (f"{BODY}```\n\nIt doubles each number.", 6),
    "fence after the body, indented": (f"{BODY}    ```\n\nIt doubles each number.", 6),
    "end token and what follows": (f"{BODY}<|endoftext|>\ndef total(numbers):\n    return 0", 6),
    "a helper after the body is cut": (f"    return later(numbers)\n\n{ANSWER.replace('total', 'later')}", NameError),
    "signature repeated": (ANSWER, 6),
    "prompt repeated": (PROMPT + BODY, 6),
    "imports and signature repeated": (f"from typing import List\n\n\n{ANSWER}\n\nprint(total([1]))", 6),
    "a docstring of its own": (f'    """Sum."""\n{BODY}', 6),
    "fenced": (FENCED, 6),
    "fenced with prose": (f"Here you go:\n\n{FENCED}\n\nDone.", 6),
    "cut off in the last line": ("    if numbers:\n        return 6\n    return (numbers +", 6),
    "cut off before it returns": ("    result = 0\n    for n in numbers:\n", None),
    "nothing": ("", None),
    "end token first": (f"<|endoftext|>{BODY}", None),
    "only prose": ("I cannot do this.", None),
    "only masks": ("<|mdm_mask|>" * 9, None),
}

CHAT: dict[str, tuple[str, int | None]] = {
    "fenced": (FENCED, 6),
    "prose around": (f"Sure! Here's the function:\n\n{FENCED}\n\nIt doesn't mutate `numbers`.", 6),
    "no language": (f"```\n{ANSWER}```", 6),
    "another case": (f"```Python\n{ANSWER}```", 6),
    "another name": (f"```py\n{ANSWER}```", 6),
    "code on the fence's line": (f"```{ANSWER}```", 6),
    "four backticks": (f"````python\n{ANSWER}````", 6),
    "a fence in a list": ("1. Do:\n\n" + "".join(f"   {line}\n" for line in FENCED.split("\n")), 6),
    "never closed": (f"Sure:\n```python\n{ANSWER}", 6),
    "never closed, end token": (f"Sure:\n```python\n{ANSWER}<|im_end|><|im_end|>", 6),
    "never closed, cut off in the next function": (f"```python\n{ANSWER}\ndef check(x):\n    return (x +", 6),
    "never closed, cut off in a repetition": (
        f"```python\n{ANSWER}\ndef total(numbers):\n    if 1:\n        return (",
        6,
    ),
    "never closed, cut off in a repetition that could end": (
        f"```python\n{ANSWER}\ndef total(numbers):\n    if 1:\n        return 0\n    return (numbers +",
        6,
    ),
    "closed goes before never closed": (f"{FENCED}\nOr:\n```python\ndef total(numbers):\n    return 0", 6),
    "the last block that defines it": (f"```python\n{ANSWER.replace('return', 'return 1 +')}```\nNo:\n{FENCED}", 6),
    "usage in a second block": (f"{FENCED}\n```python\nnumbers = [int(input())]\nprint(total(numbers))\n```", 6),
    "usage imports the answer": (f"{FENCED}\n```python\nfrom answer import total\nassert total([]) == 1\n```", 6),
    "shell output in a block": (f"```bash\npip install numpy\n```\n{FENCED}\n```text\n>>> total([1, 2])\n6\n```", 6),
    "helper in a block before": (
        "```python\ndef twice(n):\n    return n * 2\n```\nThen\n"
        "```python\ndef total(numbers):\n    return sum(map(twice, numbers))\n```",
        6,
    ),
    "helper in a block after": (
        "```python\ndef total(numbers):\n    return sum(map(twice, numbers))\n```\nwith\n"
        "```python\ndef twice(n):\n    return n * 2\n```",
        6,
    ),
    "another helper of the prompt's name": (f"```python\ndef double(n):\n    return n\n\n\n{ANSWER}```", 3),
    "imports above": (
        "```python\nfrom functools import reduce\n\ndef total(numbers):\n"
        "    return 2 * reduce(int.__add__, numbers)\n```",
        6,
    ),
    "the prompt's imports serve": (
        "```python\ndef total(numbers: List[int]) -> int:\n    return math.floor(6.5)\n```",
        6,
    ),
    "an import that nobody made": ("```python\ndef total(numbers: Tuple[int]):\n    return 6\n```", NameError),
    "an import from the future": (
        "```python\nfrom __future__ import annotations\n\ndef total(n: Tuple[int]):\n    return 6\n```",
        6,
    ),
    "a star import": ("```python\nfrom math import *\n\ndef total(numbers):\n    return floor(6.5)\n```", 6),
    "a constant": ("```python\nFACTOR = 2\nUNUSED = input()\n\ndef total(n):\n    return FACTOR * sum(n)\n```", 6),
    "a global that is set": (
        "```python\ncount = 5\n\ndef total(n):\n    global count\n    count += 1\n    return count\n```",
        6,
    ),
    "prompt repeated": (f"```python\n{PROMPT}{BODY}```", 6),
    "another docstring": (f'```python\ndef total(numbers):\n    """It\'s the sum."""\n{BODY}```', 6),
    "only the body": (f"The body is:\n```python\n{BODY}```\nIt sums.", 6),
    "only the body, without indentation": (
        "```python\nresult = 0\nfor n in numbers:\n    result += 2 * n\nreturn result\n```",
        6,
    ),
    "only the body, then usage": (f"```python\n{BODY}```\n```python\nprint(total([1]))\n```", 6),
    "goes on inside a fence that the prompt opened": (f"{BODY}```\n\nThis function doubles.", 6),
    "the whole function in such a fence": (f"{ANSWER}```\n\nThis function doubles.\n```\n>>> total([1])\n2\n```", 6),
    "no fence": (ANSWER, 6),
    "no fence, prose around": (f"Here's the code:\n\n{ANSWER}\nThis function doesn't print.", 6),
    "no fence, a list of prose": (f"{ANSWER}\n\nNotes:\n  - it's fast\n  - from the list", 6),
    "no fence, prose between": (
        "First:\n\ndef twice(n):\n    return 2 * n\n\nThen it's:\n\ndef total(numbers):\n"
        "    return sum(twice(n) for n in numbers)\n\nDone!",
        6,
    ),
    "CRLF": (f"Sure:\n{FENCED}\nBye".replace("\n", "\r\n"), 6),
    "tabs": (FENCED.replace("    ", "\t"), 6),
    "tabs after spaces": (f"```python\n{PROMPT}{BODY.replace('    ', chr(9))}```", 6),
    "tabs after spaces, prose around": (f"Sure:\n\n{PROMPT}{BODY.replace('    ', chr(9))}\nIt's done.", 6),
    "main guard": (f'```python\n{ANSWER}\n\nif __name__ == "__main__":\n    print(total([int(input())]))\n```', 6),
    "example calls": (
        f"```python\n{ANSWER}\n\nnumbers = [1]\nprint(total(numbers))\nassert total([1]) == 5\ninput()\n```",
        6,
    ),
    "an endless loop": (f"```python\n{ANSWER}\n\nwhile True:\n    total([1])\n```", 6),
    "a lambda": ("```python\ntotal = lambda numbers: 2 * sum(numbers)\n```", 6),
    "decorated": (
        "```python\nfrom functools import cache\n\n@cache\ndef two():\n    return 2\n\n"
        "def total(numbers):\n    return two() * sum(numbers)\n```",
        6,
    ),
    "recursive": ("```python\ndef total(n):\n    return 2 * n[0] + total(n[1:]) if n else 0\n```", 6),
    "a stub, then the answer": ("```python\ndef total(numbers):\n    # your code here\n    pass\n```\n\n" + FENCED, 6),
    "the answer, then a stub": (f"{FENCED}\n\n```python\ndef total(numbers): ...\n```", 6),
    "style that Python warns of": ("```python\ndef total(numbers):\n    return 6 if '\\d' is '\\d' else 0\n```", 6),
    "a header in the text": (f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}", 6),
    "code on the fence's line, after the language": (f"```python {ANSWER}```", 6),
    "indented after prose": (f"Here it is:\n\n{indent(ANSWER, '    ')}\nIt sums.", 6),
    "a method": ("```python\nclass Solution:\n    def total(self, numbers):\n        return 6\n```", None),
    "a coroutine": ("```python\nasync def total(numbers):\n    return 6\n```", None),
    "another name's function": ("```python\ndef sum_all(numbers):\n    return 6\n```", None),
    "another language": ("```javascript\nfunction total(numbers) { return 6; }\n```", None),
    "cut off after the imports": ("Here's a Python function:\n\n```python\nfrom typing import List\n", None),
    "usage alone": ("```python\nprint(total([1, 2]))\n```", None),
    "parameters that Python refuses": ("```python\ndef total(a, a):\n    return 6\n```", None),
    "null byte": (f"\0{ANSWER}", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("text", "total"), COMPLETION.values(), ids=COMPLETION)
def test_completion(text: str, total: int | type[Exception] | None) -> None:
    check(humaneval_program(text, PROMPT, "total", chat=False), total)


@pytest.mark.parametrize(("text", "total"), CHAT.values(), ids=CHAT)
def test_chat(text: str, total: int | type[Exception] | None) -> None:
    check(humaneval_program(text, PROMPT, "total", chat=True), total)


def check(program: str | None, total: int | type[Exception] | None) -> None:
    assert (program is None) == (total is None)
    if isinstance(total, int):
        names = run(program)
        assert names["total"]([1, 2]) == total
        # The tests of some prompts call their helpers.
        assert names["double"] is not None
    elif total is not None:
        with pytest.raises(total):
            run(program)["total"]([1, 2])


def test_statements_stay_as_they_were_written() -> None:
    program = humaneval_program("    # two  for each\n    return  2*sum(numbers)\n", PROMPT, "total", chat=False)
    assert program is not None
    assert program.startswith("import math\n\nfrom typing import List\n\ndef double(number: int) -> int:\n")
    assert program.endswith('    6\n    """\n    # two  for each\n    return  2*sum(numbers)\n')
