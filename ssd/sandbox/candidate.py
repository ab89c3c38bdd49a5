"""Run one program and answer calls of its functions.

This module shares its interpreter with the program, which may replace any of it. The judge trusts no answer.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Callable
from types import CodeType, ModuleType
from typing import Any

from ssd.sandbox import wire

_MESSAGE_CHARACTERS = 300


class Candidate:
    """A program, its module and the objects that the judge addresses by number."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._code: CodeType | None = None
        self._objects: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._operations: dict[str, Callable[..., Any]] = {
            "ready": lambda: None,
            "compile": self._compile,
            "define": self._define,
            "call": lambda function, *arguments, **keywords: function(*arguments, **keywords),
            "attribute": getattr,
            "assign": setattr,
            "item": operator.getitem,
            "iterate": iter,
            "next": next,
            "length": len,
            "truth": bool,
            "text": str,
        }

    def serve(self) -> None:
        """Answer requests until the pipe closes."""
        while header := self._read(wire.LENGTH.size):
            request = wire.unpack(self._read(*wire.LENGTH.unpack(header)))
            answer = memoryview(wire.pack(self._answer(*request)))
            while answer:
                answer = answer[os.write(self._answers, answer) :]

    def _answer(self, operation: str, arguments: Any, keywords: Any) -> list[Any]:
        try:
            positional = wire.decode(arguments, self._objects.__getitem__)
            named = wire.decode(keywords, self._objects.__getitem__)
            value = self._operations[operation](*positional, **named)
            return ["value", wire.encode(value, self._number)]
        except BaseException as error:  # SystemExit and KeyboardInterrupt too
            return ["error", type(error).__name__, _message(error)]

    def _compile(self, source: str) -> None:
        self._code = compile(source, "<program>", "exec", dont_inherit=True)

    def _define(self, names: tuple[str, ...]) -> dict[str, Any]:
        assert self._code is not None
        module = ModuleType("program")
        # Dataclasses and typing look up the module of a class.
        sys.modules["program"] = module
        exec(self._code, vars(module))
        missing = [name for name in names if name not in vars(module)]
        if missing:
            raise NameError(f"the program does not define {', '.join(missing)}")
        return {name: vars(module)[name] for name in names}

    def _number(self, value: Any) -> int:
        # The list keeps every object alive, so no address is used twice.
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._objects)
            self._objects.append(value)
        return self._numbers[id(value)]

    def _read(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = os.read(self._requests, size - len(parts))
            if not part:
                return b""
            parts += part
        return bytes(parts)


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_MESSAGE_CHARACTERS]
    except Exception:  # the program defines the class of the error, and so its str
        return "its message cannot be had"
