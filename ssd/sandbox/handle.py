"""The judge's proxy of an object that stays in the candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ssd.sandbox.errors import SandboxError


class Handle:
    """Proxy of a program's object: the candidate carries out each operation and returns plain data.

    A handle equals only itself and supports no arithmetic, ordering or membership tests. Those would show the object
    the value that a test expects, and the object could agree with it.
    """

    def __init__(self, ask: Callable[..., Any], number: int) -> None:
        object.__setattr__(self, "_Handle__ask", ask)
        object.__setattr__(self, "_Handle__number", number)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.__ask("call", self, *arguments, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"tests cannot use {name} of a program's object")
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
    """Return the number of a handle; raise SandboxError for any other object, which no candidate can receive."""
    if not isinstance(handle, Handle):
        raise SandboxError(
            f"a test passes an object of type {type(handle).__name__}; expected plain data or an object of the program"
        )
    number: int = vars(handle)["_Handle__number"]
    return number
