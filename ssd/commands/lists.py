"""Types of options that are lists with commas."""

from __future__ import annotations

from argparse import ArgumentTypeError


def counts(text: str) -> list[int]:
    """Return the numbers of `1,2,4`. Raises ArgumentTypeError."""
    if not all(word.isdecimal() and int(word) for word in text.split(",")):
        raise ArgumentTypeError(f"{text}: expected whole numbers of at least 1, as 1,2,4")
    return [int(word) for word in text.split(",")]


def names(text: str) -> list[str]:
    """Return the names of `llada,dream`."""
    return text.split(",")
