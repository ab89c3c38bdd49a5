"""Sandboxes for the tests, one for each protection that this machine offers."""

from collections.abc import Iterator
from textwrap import dedent

import pytest

from ssd.sandbox.errors import SandboxError
from ssd.sandbox.program import Outcome, Program
from ssd.sandbox.protections.protection import Protection
from ssd.sandbox.sandbox import Sandbox
from tests.sandbox.confined import GOOD, LIMITS, Judge, confined


@pytest.fixture(scope="session", params=[Protection.NAMESPACES, Protection.LANDLOCK])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One judge under each protection; limits are tight."""
    with confined(request.param) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def strongest() -> Iterator[Sandbox]:
    """One judge under the strongest protection that there is here."""
    try:
        sandbox = Sandbox(workers=1, limits=LIMITS)
    except SandboxError as error:
        pytest.skip(str(error))
    with sandbox:
        yield sandbox


@pytest.fixture
def verdict(strongest: Sandbox) -> Judge:
    """Return a function that judges a program defining `f`."""
    return lambda source, tests: strongest.run([Program(dedent(source), dedent(tests), ("f",))])[0]


@pytest.fixture
def judge(sandbox: Sandbox) -> Judge:
    """Return a function that judges a program defining `f`; the same judge must then pass a good one."""

    def run(source: str, tests: str) -> Outcome:
        program = Program(dedent(source), dedent(tests), ("f",))
        outcome, after = sandbox.run([program, GOOD])
        assert after.passed, f"the sandbox is broken after the program: {after}"
        return outcome

    return run
