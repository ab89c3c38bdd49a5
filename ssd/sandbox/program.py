"""A program to judge, its limits and its outcome."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum


@dataclass(frozen=True)
class Program:
    """A model-written program and its tests from the data set."""

    source: str
    tests: str
    """Statements that raise if the program is wrong. They run in the judge, on the values that the program returns."""
    names: tuple[str, ...]
    """The names that the tests take from the program. It cannot replace any other name that the tests use."""
    setup: str = ""
    """Statements of the data set that run before the tests and may use the program's names."""
    trusted: str = ""
    """Statements of the data set that run before anything else, such as the helper functions of a HumanEval prompt."""

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError(
                "names of a program is empty; expected the names that its tests use; pass the name of the function "
                "under test"
            )


@dataclass(frozen=True)
class Limits:
    """Resource limits of one program. It always has one process, one thread and no network."""

    wall_s: float = 10.0
    cpu_s: int = 10
    memory_mib: int = 1024
    file_mib: int = 16
    """Limit of the printed bytes, and of the bytes in its working folder."""
    answer_kib: int = 4096
    """Limit of all encoded answers to the calls of the tests."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kinds = int | float if field.name == "wall_s" else int
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < 1_000_000:
                expected = "a number" if field.name == "wall_s" else "an integer"
                raise ValueError(
                    f"limit {field.name} is {value!r}; expected {expected} above 0 and below 1,000,000; "
                    f"pass {field.name}={field.default}"
                )


class Reason(StrEnum):
    """The result of a program's tests, in one or two words."""

    PASSED = "passed"
    WRONG_ANSWER = "wrong answer"
    EXCEPTION = "exception"
    SYNTAX_ERROR = "syntax error"
    TIME_LIMIT = "time limit"
    MEMORY_LIMIT = "memory limit"
    OUTPUT_LIMIT = "output limit"
    FORBIDDEN = "forbidden"
    CRASHED = "crashed"


@dataclass(frozen=True)
class Outcome:
    """The verdict on one program."""

    reason: Reason
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.reason is Reason.PASSED
