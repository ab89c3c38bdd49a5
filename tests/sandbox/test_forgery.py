"""Programs that try to look right without being right. No right answer is ever computed."""

import pytest

from ssd.sandbox.program import Program, Reason
from ssd.sandbox.sandbox import Sandbox
from tests.sandbox.confined import GOOD, Judge

AGREEABLE = """
class Agreeable:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return hash(EXPECTED)
    def _same(self, *others): return self
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __abs__ = __round__ = _same
    def __contains__(self, item): return True
    def __float__(self): return 1e9
EXPECTED = 0
"""
BASES = ("int", "float", "str", "list", "dict", "tuple")
AGREEABLE_SUBCLASSES = "\n".join(f"class {base.title()}(Agreeable, {base}): pass" for base in BASES)

FAKES: dict[str, str] = {
    "exit before the assertions": "import os\ndef f(x):\n    os._exit(0)",
    "exit on import": "import os\nos._exit(0)",
    "SystemExit": "def f(x):\n    raise SystemExit(0)",
    "SystemExit on import": "raise SystemExit(0)",
    "KeyboardInterrupt": "def f(x):\n    raise KeyboardInterrupt",
    "exit handler": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x):\n    raise SystemExit",
    "fake success lines": """
        import os
        def f(x):
            for line in ('passed', '{"reason": "passed", "detail": ""}', '["value",true]'):
                print(line, flush=True)
                os.write(2, line.encode())
    """,
    "writes to every descriptor": """
        import os, struct
        def f(x):
            for body in (b'["value",{"reason":"passed"}]', b'{"reason": "passed", "detail": ""}\\n'):
                for descriptor in range(64):
                    try:
                        os.write(descriptor, struct.pack(">I", len(body)) + body)
                    except OSError:
                        pass
    """,
    "noise in the channel": """
        import os
        for descriptor in range(3, 64):
            try:
                os.write(descriptor, b'\\0\\0\\0\\7garbage')
            except OSError:
                pass
        def f(x):
            return None
    """,
    "patched builtins": """
        import builtins, operator, json
        builtins.isinstance = lambda *_: True
        builtins.AssertionError = ValueError
        operator.eq = json.loads = lambda *_: True
        def f(x):
            return None
    """,
    "patched checker": """
        import sys
        for name, module in list(sys.modules.items()):
            if name.startswith('ssd'):
                for attribute in list(vars(module)):
                    if not attribute.startswith('__'):
                        setattr(module, attribute, lambda *_, **__: True)
        def f(x):
            return None
    """,
    "tracing": "import sys\nsys.settrace(lambda *_: sys.exit(0))\ndef f(x):\n    return None",
    "shadowed names": """
        class set:
            def __init__(self, *_): pass
            def __eq__(self, other): return True
        def sorted(x): return 'ok'
        def abs(x): return 0
        math = None
        def f(x):
            return None
    """,
}


@pytest.mark.parametrize("name", FAKES)
def test_fakes_fail(judge: Judge, name: str) -> None:
    assert not judge(FAKES[name], "assert set(sorted(f(3))) == {1, 2, 3}").passed


@pytest.mark.parametrize("made", ["Agreeable()", *(f"{base.title()}()" for base in BASES), "type('T', (), {})"])
@pytest.mark.parametrize("where", ["{}", "[1, {}]"])
def test_nothing_equals_what_it_is_not(verdict: Judge, made: str, where: str) -> None:
    source = f"{AGREEABLE}\n{AGREEABLE_SUBCLASSES}\ndef f():\n    return {where.format(made)}"
    expected = where.format("12")
    tests = f"passed = 0\ntry:\n    passed += f() == {expected}\n    passed += {expected} == f()\n"
    assert not verdict(source, f"{tests}    passed += not (f() != {expected})\nfinally:\n    assert passed").passed


@pytest.mark.parametrize(
    "test", ["abs(f() - 3.14) < 1e-6", "f() < 5", "5 > f()", "3 in f()", "f() + 1 == 4", "round(f()) == 3"]
)
def test_objects_are_not_shown_what_is_expected(verdict: Judge, test: str) -> None:
    outcome = verdict(f"{AGREEABLE}\ndef f():\n    return Agreeable()", f"assert {test}")
    assert outcome.reason in (Reason.WRONG_ANSWER, Reason.EXCEPTION)


def test_tests_that_catch_everything_do_not_pass_without_an_answer(judge: Judge) -> None:
    tests = "for n in range(2):\n    try:\n        f(n)\n    except BaseException:\n        pass"
    assert judge("import os\ndef f(n):\n    os._exit(0)", tests).reason is Reason.CRASHED


def test_the_program_does_not_see_the_tests(judge: Judge) -> None:
    source = """
        import gc, sys

        def f():
            seen = repr([thing for thing in gc.get_objects() if isinstance(thing, (dict, list, tuple))])
            frame = sys._getframe()
            while frame:
                seen += repr(frame.f_locals)
                frame = frame.f_back
            return ''.join(['a sec', 'ret of']) in seen
    """
    assert judge(source, "assert f() != 'a secret of the tests'\nassert f() == False").passed


def test_one_program_leaves_no_trace_for_the_next(sandbox: Sandbox) -> None:
    spoil = Program("import builtins\nbuiltins.len = lambda _: 7\nf = None", "f", ("f",))
    use = Program("def f(x):\n    return len(x)", "assert f('abc') == 3", ("f",))
    assert [outcome.passed for outcome in sandbox.run([spoil, use, GOOD])][1:] == [True, True]
