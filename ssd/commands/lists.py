"""Types of options: whole numbers, and lists with commas."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable


def whole(least: int) -> Callable[[str], int]:
    """Return the type of a whole number of at least this. It raises ArgumentTypeError."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text}: expected a whole number of at least {least}")
        return int(text)

    return number


def counts(text: str) -> list[int]:
    """Return the numbers of `1,2,4`. Raises ArgumentTypeError."""
    if not all(word.isdecimal() and int(word) for word in text.split(",")):
        raise ArgumentTypeError(f"{text}: expected whole numbers of at least 1, as 1,2,4")
    return [int(word) for word in text.split(",")]


def names(text: str) -> list[str]:
    """Return the names of `llada,dream`."""
    return text.split(",")
