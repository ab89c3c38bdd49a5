"""Golden samples of what a program needs beside its function: a change here is a new version of `code`.

Every text is the code of a response; its program's `total` gives 6 for (1, 2).
"""

import pytest

from ssd.tasks.extraction.code import humaneval_program, mbpp_program
from ssd.tasks.extraction.programs import program
from ssd.tasks.extraction.statements import statements
from tests.tasks.extraction.programs import run

PROMPT = 'def total(numbers):\n    """Return the sum of twice each number."""\n'
TESTS = ["assert total([1, 2]) == 6"]
TWICE = "def total(numbers):\n    return sum(TWICE[number] for number in numbers)\n"
SUM = "def total(numbers):\n    return 2 * sum(numbers)\n"

GUARDED = 'if __name__ == "__main__":\n    def total(numbers):\n        return 6\n'

CHANGES = {
    "a table that a loop fills": f"TWICE = [0] * 9\nfor i in range(9):\n    TWICE[i] = 2 * i\n{TWICE}",
    "a table that a loop after it fills": f"TWICE = [0] * 9\n{TWICE}for i in range(9):\n    TWICE[i] = 2 * i\n",
    "a sieve": (
        "N = 9\nEVEN = [True] * N\nfor i in range(1, N):\n    j = i * 2 + 1\n    if i % 2:\n        EVEN[i] = False\n"
        "    while j < N:\n        EVEN[j] = False\n        j += N\n"
        "def total(numbers):\n    return 6 if EVEN[2] and not EVEN[1] else 0\n"
    ),
    "an item": f"TWICE = {{}}\nTWICE[1] = 2\nTWICE[2] = 4\n{TWICE}",
    "an item of an item": (
        "TABLE = {'a': {}}\nTABLE['a'][1] = 6\ndef total(numbers):\n    return TABLE['a'].get(1, 0)\n"
    ),
    "an item and more": f"TWICE = {{1: 0, 2: 4}}\nTWICE[1] += 2\n{TWICE}",
    "a deleted item": "A = [0, 6]\ndel A[0]\ndef total(numbers):\n    return A[0]\n",
    "a name and more": "K = 1\nK += 1\ndef total(numbers):\n    return K * sum(numbers)\n",
    "a method": f"TWICE = []\nTWICE.append(0)\nTWICE.extend([2, 4])\n{TWICE}",
    "a method whose value is kept": "A = [6, 5]\n_ = A.pop()\ndef total(numbers):\n    return A[-1]\n",
    "a method in a comprehension": f"TWICE = []\n[TWICE.append(2 * i) for i in range(9)]\n{TWICE}",
    "a function that is given it": (
        "import heapq\nHEAP = [7, 6]\nheapq.heapify(HEAP)\ndef total(numbers):\n    return HEAP[0]\n"
    ),
    "a function of the code that is given it": (
        f"TWICE = []\ndef fill(table):\n    for i in range(9):\n        table.append(2 * i)\nfill(TWICE)\n{TWICE}"
    ),
    "a helper that reads it": f"TWICE = []\ndef init():\n    TWICE.extend([0, 2, 4])\ninit()\n{TWICE}",
    "a lambda that reads it": f"TWICE = []\ninit = lambda: TWICE.extend([0, 2, 4])\ninit()\n{TWICE}",
    "a method of a module": (
        "import random\nrandom.seed(0)\nFIRST = random.random()\n"
        "def total(numbers):\n    return 6 if FIRST == random.Random(0).random() else 0\n"
    ),
    "a helper of a helper": (
        "TWICE = []\ndef add(i):\n    TWICE.append(2 * i)\ndef init():\n    add(0)\n    add(1)\n    add(2)\ninit()\n"
        + TWICE
    ),
    "a helper that makes it": f"def init():\n    global TWICE\n    TWICE = [0, 2, 4]\ninit()\n{TWICE}",
    "a helper in a loop": f"TWICE = []\ndef add(i):\n    TWICE.append(2 * i)\nfor i in range(9):\n    add(i)\n{TWICE}",
    "a decorator that registers": (
        "TABLE = {}\ndef register(function):\n    TABLE[function.__name__] = function\n    return function\n"
        "@register\ndef two():\n    return 2\ndef total(numbers):\n    return TABLE['two']() * sum(numbers)\n"
    ),
    "an attribute of the function": f"{SUM.replace('2', 'total.k')}total.k = 2\n",
    "an attribute by name": f"{SUM.replace('2', 'total.k')}setattr(total, 'k', 2)\n",
    "what an attribute of the function holds": f"TWICE = []\n{TWICE}total.k = [0, 2, 4]\nTWICE.extend(total.k)\n",
    "a condition": f"TWICE = {{}}\nif 1 not in TWICE:\n    TWICE.update({{1: 2, 2: 4}})\n{TWICE}",
    "an attempt": f"TWICE = {{}}\ntry:\n    TWICE[1], TWICE[2] = 2, 4\nexcept KeyError:\n    pass\n{TWICE}",
    "a context": (
        "from contextlib import suppress\nTWICE = {1: 2}\nwith suppress(KeyError):\n    TWICE[2] = 4\n" + TWICE
    ),
    "the rows of a table": (
        "ROWS = [[0], [0]]\nfor row in ROWS:\n    row[0] = 3\ndef total(numbers):\n    return sum(map(sum, ROWS))\n"
    ),
    "the context of decimals": (
        "from decimal import Decimal, getcontext\ngetcontext().prec = 1\n"
        "def total(numbers):\n    return int(Decimal(5) + Decimal('0.6'))\n"
    ),
    "the interpreter": (
        "import sys\nsys.setrecursionlimit(5000)\n"
        "def depth(n):\n    return 1 + depth(n - 1) if n else 0\ndef total(numbers):\n    return depth(3000) // 500\n"
    ),
    "a value that the function gives": f"A = [0]\n{SUM}A[0] = total([1, 2])\ndef total(numbers):\n    return A[0]\n",
}

DEFINITIONS = {
    "another name's function": "def twice(numbers):\n    return 2 * sum(numbers)\ntotal = twice\n",
    "another name's lambda": "twice = lambda numbers: 2 * sum(numbers)\ntotal = twice\n",
    "two names": "def twice(numbers):\n    return 2 * sum(numbers)\ntotal = double = twice\n",
    "a partial": "from functools import partial\ndef times(k, n):\n    return k * sum(n)\ntotal = partial(times, 2)\n",
    "a partial of Python's own": "import functools\ntotal = functools.partial(sum, start=3)\n",
    "a cached one": "from functools import lru_cache\ndef total(numbers):\n    return 6\ntotal = lru_cache(total)\n",
    "a lambda that is cached": "from functools import lru_cache\ntotal = lru_cache(lambda numbers: 6)\n",
    "one that a function makes": "def make():\n    def inner(n):\n        return 6\n    return inner\ntotal = make()\n",
    "a method": "class Solution:\n    def total(self, numbers):\n        return 6\ntotal = Solution().total\n",
    "in a condition": "if True:\n    def total(n):\n        return 6\nelse:\n    def total(n):\n        return 5\n",
    "in an attempt": (
        "try:\n    from nowhere import total\nexcept ImportError:\n    def total(numbers):\n        return 6\n"
    ),
    "a lambda in a condition": "if True:\n    total = lambda numbers: 6\n",
}

USAGE = {
    "a loop of calls": "for i in range(3):\n    print(total([i]))\n",
    "a table that nothing reads": "TWICE = [0]\nfor i in range(1):\n    TWICE[i] = 0\n",
    "an endless loop": "while True:\n    total([1])\n",
    "a helper that calls it": "def main():\n    print(total([1]))\nmain()\n",
    "a helper that is given it": "def check(candidate):\n    assert candidate([1]) == 5\ncheck(total)\n",
    "a helper that reads": "def main():\n    return input()\nmain()\n",
    "a loop that reads": "CASES = []\nfor _ in range(int(input())):\n    CASES.append(input())\n",
    "a main guard": 'if __name__ == "__main__":\n    K = 0\n    total.k = 1 / 0\n',
    "a value of a module": "size = sys.getsizeof(0)\n",
    "a helper that is given a module": "def main(module):\n    return module\nmain(sys)\n",
    "an end": "sys.exit(0)\n",
    "an end by name": "exit()\n",
    "prints": "print(K)\nprint(K.real)\nsys.stdout.write(str(K))\n",
    "a loop that prints": "for i in [K]:\n    print(i)\n",
    "asserts": "assert K == 3\n",
    "a call that is caught": "try:\n    print(total(None))\nexcept TypeError:\n    raise\n",
    "its value in a table": "RESULTS = []\nRESULTS.append(total(['']))\n",
}


@pytest.mark.parametrize("code", {**CHANGES, **DEFINITIONS}.values(), ids={**CHANGES, **DEFINITIONS})
def test_programs_hold_what_the_function_needs(code: str) -> None:
    text = f"```python\n{code}```"
    for made in (
        humaneval_program(text, PROMPT, "total", chat=True),
        humaneval_program(text, PROMPT, "total", chat=False),
        mbpp_program(text, TESTS, chat=True),
        mbpp_program(f"{code}[DONE]", TESTS, chat=False),
    ):
        assert made is not None
        assert run(made)["total"]((1, 2)) == 6


@pytest.mark.parametrize("usage", USAGE.values(), ids=USAGE)
def test_programs_hold_no_usage(usage: str) -> None:
    code = f"import sys\nK = 2\ndef total(numbers):\n    return min(K, sys.maxsize) * sum(numbers)\n{usage}"
    alone = code.removesuffix(usage)
    text = f"```python\n{code}```"
    for made in (humaneval_program(text, PROMPT, "total", chat=True), mbpp_program(text, TESTS, chat=True)):
        assert made is not None
        assert run(made)["total"]([1, 2]) == 6
        kept = [source for source in made.strip().split("\n\n") if not source.startswith(("def main", "def check"))]
        assert kept == [statement.source for statement in statements(alone)]


@pytest.mark.parametrize(
    ("code", "argument", "value"),
    [
        ("import math\ntotal = math.fsum\n", [1, 2], 3.0),
        ("from math import fsum\ntotal = fsum\n", [1, 2], 3.0),
        ("total = sorted\n", [2, 1], [1, 2]),
    ],
)
def test_a_librarys_function_may_be_the_answer(code: str, argument: list[int], value: object) -> None:
    made = mbpp_program(f"```python\n{code}```", TESTS, chat=True)
    assert made is not None
    assert run(made)["total"](argument) == value


@pytest.mark.parametrize(
    "code", ["total = 5", "total = other", "other = lambda n: 6", "total = int(5)", "total = A[0]", GUARDED]
)
def test_a_value_is_no_function(code: str) -> None:
    assert mbpp_program(f"```python\nA = [5]\n{code}\n```", TESTS, chat=True) is None


def test_the_text_before_the_first_fence_goes_first_where_the_prompt_opened_one() -> None:
    wrong = "A naive version:\n```python\ndef total(numbers):\n    return 0\n```"
    for right in (SUM, "def total(numbers):\n    return two() * sum(numbers)\n"):
        helper = "\n\nIt takes:\n```python\ndef two():\n    return 2\n```"
        made = mbpp_program(f"{right}```\n\n{wrong}{helper}", TESTS, chat=True)
        assert made is not None
        assert run(made)["total"]([1, 2]) == 6


def test_a_loop_that_fills_a_table_may_print() -> None:
    made = mbpp_program(
        f"TWICE = []\nfor i in range(9):\n    TWICE.append(2 * i)\n    print(i)\n{TWICE}", TESTS, chat=True
    )
    assert made is not None
    assert "for i in range(9):\n    TWICE.append(2 * i)\n    print(i)" in made


def test_what_runs_at_once_needs_only_what_stands_before_it() -> None:
    code = f"TWICE = []\nfor i in range(9):\n    TWICE.append(2 * i)\n{TWICE}i = 1 / 0\n"
    made = mbpp_program(code, TESTS, chat=True)
    assert made is not None
    assert run(made)["total"]([1, 2]) == 6
    listed = mbpp_program(f"K = 2\nTWICE = [K * i for i in range(9)]\n{TWICE}K = 1 / 0\n", TESTS, chat=True)
    assert listed is not None
    assert run(listed)["total"]([1, 2]) == 6
    assert mbpp_program(f"i = 3\n{code}", TESTS, chat=True).startswith("i = 3\n")


def test_a_loop_of_calls_binds_nothing_that_another_loop_needs() -> None:
    code = f"TWICE = []\n{TWICE}for i in [0]:\n    total(i)\nfor i in range(9):\n    TWICE.append(2 * i)\n"
    made = mbpp_program(code, TESTS, chat=True)
    assert made is not None
    assert run(made)["total"]([1, 2]) == 6


def test_another_block_does_not_change_what_this_one_binds() -> None:
    first = "```python\nTWICE = {}\nTWICE[1] = 0\ndef total(numbers):\n    return 0\n```"
    made = mbpp_program(f"{first}\nBetter:\n```python\nTWICE = [0, 2, 4]\n{TWICE}```", TESTS, chat=True)
    assert made is not None
    assert run(made)["total"]([1, 2]) == 6


def test_programs_keep_the_order_and_the_words() -> None:
    code = "K  =  1\nK+=1 # more\nUNUSED = 5\ndef total(numbers): return  K*sum(numbers)"
    assert program([statements(code)], {"total"}, {"total"}) == (
        "K  =  1\n\nK+=1\n\ndef total(numbers): return  K*sum(numbers)\n"
    )
