"""What programs are told apart: the right ones, and the ways to be wrong."""

import pytest

from ssd.sandbox.program import Limits, Program, Reason
from ssd.sandbox.sandbox import Sandbox
from tests.sandbox.confined import Judge

RIGHT: dict[str, tuple[str, str]] = {
    "plain": ("def f(x):\n    return x * 2", "assert f(3) == 6"),
    "keywords": ("def f(x, *, twice):\n    return x * 2 if twice else x", "assert f(3, twice=True) == 6"),
    "unicode": ("def f(größe):\n    return größe + 'é𝄞\\ud800'", "assert f('ü') == 'üé𝄞\\ud800'"),
    "tuple in dict": ("def f():\n    return {(1, 2): [{3}, None]}", "assert f() == {(1, 2): [{3}, None]}"),
    "nan and infinity": (
        "def f():\n    return [float('nan'), float('inf')]",
        "a, b = f()\nassert a != a and b > 1e308",
    ),
    "big integer": ("def f(n):\n    return n ** n", "assert f(5000) == 5000 ** 5000"),
    "bytes and complex": ("def f():\n    return b'\\xff', 1 - 2j", "assert f() == (b'\\xff', 1 - 2j)"),
    "named tuple": ("from collections import namedtuple\nf = namedtuple('f', 'a b')", "assert f(1, 2) == (1, 2)"),
    "counter": ("from collections import Counter as f", "assert f('aab') == {'a': 2, 'b': 1}"),
    "decimal": ("from decimal import Decimal as f", "assert f('2.5') == 2.5"),
    "fraction": ("from fractions import Fraction\ndef f():\n    return Fraction(1, 2)", "assert f() == 0.5"),
    "type as argument": (
        "def f(xs, kind):\n    return [type(x) is kind for x in xs]",
        "assert f([1, ''], int) == [1, 0]",
    ),
    "generator": ("def f(n):\n    yield from range(n)", "assert list(f(3)) == [0, 1, 2] and sum(f(4)) == 6"),
    "match": ("import re\ndef f(s):\n    return re.match('a', s)", "assert f('ab') and not f('b')"),
    "object": (
        "class f:\n    def __init__(self, v):\n        self.v = v\n    def double(self):\n        return self.v * 2",
        "node = f(2)\nnode.next = f(5)\nassert node.next.v == 5 and node.double() == 4 and node.next is node.next",
    ),
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: 'int'\ndef f():\n    return P(3)",
        "assert f().x == 3",
    ),
    "own exception": (
        "def f(x):\n    raise ValueError(x)",
        "try:\n    f('no')\n    assert False\nexcept ValueError as error:\n    assert 'no' in str(error)",
    ),
    "defined late": ("if True:\n    def g():\n        globals()['f'] = lambda: 1\ng()", "assert f() == 1"),
    "prints": ("def f():\n    print('x' * 100_000)\n    return 1", "assert f() == 1"),
    "input is empty": ("import sys\ndef f():\n    return sys.stdin.read()", "assert f() == ''"),
    "recursion": ("def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)", "assert f(900) == 900"),
    "not the main program": ("def f():\n    return 1\nif __name__ == '__main__':\n    f = None", "assert f() == 1"),
}

WRONG: dict[str, tuple[str, str, Reason, str]] = {
    "wrong value": ("def f(x):\n    return x", "assert f(1) == 2", Reason.WRONG_ANSWER, "assert f(1) == 2"),
    "wrong type": ("def f():\n    return None", "assert f() < 2", Reason.WRONG_ANSWER, "assert f() < 2: TypeError"),
    "exception": ("def f():\n    return [][1]", "assert f() == 2", Reason.EXCEPTION, "IndexError: list index"),
    "no such name": ("def g():\n    return 1", "assert True", Reason.EXCEPTION, "does not define f"),
    "nothing at all": ("", "assert f() == 1", Reason.EXCEPTION, "does not define f"),
    "defined only when run": ("if __name__ == '__main__':\n    f = int", "f()", Reason.EXCEPTION, "does not define f"),
    "syntax": ("def f(x) return x", "f(1)", Reason.SYNTAX_ERROR, "expected ':'"),
    "null byte": ("def f(): pass\0", "f()", Reason.SYNTAX_ERROR, "null"),
    "lone surrogate": ("def f(): '\ud800'", "f()", Reason.SYNTAX_ERROR, "UnicodeEncodeError"),
    "exit on import": ("import sys\nsys.exit()\ndef f(): pass", "f()", Reason.EXCEPTION, "SystemExit"),
    "input": ("def f():\n    return input()", "assert f() == ''", Reason.EXCEPTION, "EOFError"),
    "recursion": ("def f():\n    return f()", "f()", Reason.EXCEPTION, "RecursionError"),
    "large result": ("def f():\n    return 'x' * 1_000_000", "f()", Reason.OUTPUT_LIMIT, "256 KiB"),
    "endless generator": (
        "def f():\n    while True:\n        yield 'x' * 10_000",
        "list(f())",
        Reason.OUTPUT_LIMIT,
        "256 KiB",
    ),
    "cyclic result": ("def f():\n    a = []\n    a.append(a)\n    return a", "f()", Reason.EXCEPTION, "nested deeper"),
    "two line message": ("def f():\n    raise ValueError('a\\n b')", "f()", Reason.EXCEPTION, "ValueError: a b"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_programs_pass(verdict: Judge, name: str) -> None:
    outcome = verdict(*RIGHT[name])
    assert outcome.passed, outcome


@pytest.mark.parametrize("name", WRONG)
def test_wrong_programs_fail_for_the_right_reason(verdict: Judge, name: str) -> None:
    source, tests, reason, detail = WRONG[name]
    outcome = verdict(source, tests)
    assert not outcome.passed
    assert outcome.reason is reason, outcome
    assert detail in outcome.detail
    assert "\n" not in outcome.detail


@pytest.mark.slow
def test_trusted_code_and_setup_come_before_the_tests(sandbox: Sandbox) -> None:
    program = Program(
        source="def double(x):\n    return 0\nclass Node:\n    pass\ndef f(node):\n    return node.value",
        tests="assert f(node) == double(2)",
        names=("f", "Node"),
        setup="node = Node()\nnode.value = double(2)",
        trusted="def double(x):\n    return 2 * x",
    )
    assert [outcome.passed for outcome in sandbox.run([program])] == [True]


@pytest.mark.parametrize("field", ["wall_s", "cpu_s", "memory_mib", "file_mib", "answer_kib"])
@pytest.mark.parametrize("value", [0, -1, "10", True, float("nan")])
def test_limits_that_are_none(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"limit {field} is .*expected .* above 0 .*pass {field}="):
        Limits(**{field: value})


def test_a_program_of_which_nothing_is_asked() -> None:
    with pytest.raises(ValueError, match=r"names of a program is empty; expected .*; pass the name of the function"):
        Program("def f(): pass", "assert True", ())
