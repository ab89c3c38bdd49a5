"""The judge's stand-in for an object that stays in the candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ssd.sandbox.errors import SandboxError


class Handle:
    """An object of the program. What is done to it is done in the candidate, whose answer comes back as plain data.

    It equals nothing but itself, and it takes no part in arithmetic, ordering or membership tests: there the object
    would be shown what the test expects, and could agree with it.
    """

    def __init__(self, ask: Callable[..., Any], number: int) -> None:
        object.__setattr__(self, "_Handle__ask", ask)
        object.__setattr__(self, "_Handle__number", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.__ask("call", self, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"{name} of a program's object is out of reach of its tests")
        return self.__ask("attribute", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__ask("assign", self, name, value)

    def __getitem__(self, key: Any) -> Any:
        return self.__ask("item", self, key)

    def __iter__(self) -> Any:
        return self.__ask("iterate", self)

    def __next__(self) -> Any:
        return self.__ask("next", self)

    def __len__(self) -> int:
        return self.__ask("length", self)

    def __bool__(self) -> bool:
        return self.__ask("truth", self)

    def __str__(self) -> str:
        return self.__ask("text", self)


def number_of(handle: object) -> int:
    """Return the number of a handle; any other object cannot be sent to a candidate."""
    if not isinstance(handle, Handle):
        raise SandboxError(
            f"a test passes an object of type {type(handle).__name__}; expected plain data or an object of the program"
        )
    number: int = vars(handle)["_Handle__number"]
    return number
