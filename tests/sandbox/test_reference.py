"""Which names tests take from a program: what its reference defines and the tests use."""

import pytest

from ssd.sandbox.reference import imports_under_test, names_under_test


@pytest.mark.parametrize(
    ("reference", "tests", "names"),
    [
        ("def f(): pass\ndef helper(): pass", "assert f() == 1", ("f",)),
        ("class Node: pass\ndef f(n): pass", "assert f(Node()) == 1", ("Node", "f")),
        ("def sum(a, b): pass", "assert sum(1, 2) == len([3])", ("sum",)),
        ("if True:\n    f = lambda: 1", "assert f() == math.pi", ("f",)),
        ("import sys\nfrom math import sqrt as f\ndef g(): sys", "assert g() == sys.maxsize == f(1)", ("g",)),
        ("def f():\n    global late\n    late = 1", "late", ()),
        ("", "assert f()", ()),
        ("def f(): return '\\w'", "f('\\w')", ("f",)),
    ],
)
def test_names(reference: str, tests: str, names: tuple[str, ...]) -> None:
    assert names_under_test(reference, tests) == names


def test_imports_that_tests_lean_on() -> None:
    reference = "import sys, os\nimport os.path as p\nfrom math import pi, tau as t\ndef f(): pass"
    assert imports_under_test(reference, "f(sys.maxsize, t)") == "import sys\nfrom math import tau as t"
    assert imports_under_test(reference, "f(1)") == ""
