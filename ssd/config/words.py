"""Checks of a command line's words before Hydra reads them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def check_each_word(words: Sequence[str]) -> None:
    """Raise ValueError for a word with a control character, and for an option that is given twice."""
    given: dict[str, str] = {}
    for word in words:
        control = next((letter for letter in word if unicodedata.category(letter) == "Cc"), None)
        if control:
            raise ValueError(f"{word!r}: {control!r} is a control character; type the word again without it")
        name, is_option, value = word.lstrip("+").partition("=")
        if not is_option or word.startswith(("-", "~")):
            continue
        if name in given:
            raise ValueError(
                f"{name} is given twice, as {given[name]} and {value}; pass it once, or a grid with -m "
                f"{name}={given[name]},{value}"
            )
        given[name] = value
