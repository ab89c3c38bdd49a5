"""A command line's words before Hydra reads them: their checks, and the folders of a user's own files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

OPTIONS = ("--config-dir", "-cd")


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


def config_folders(words: Sequence[str]) -> list[Path]:
    """Return the folders of `--config-dir FOLDER` and `hydra.searchpath=[file://FOLDER,...]`."""
    return [Path(name).expanduser().absolute() for name in _named(words)]


def _named(words: Sequence[str]) -> Iterator[str]:
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in OPTIONS:
            yield following
        elif word.startswith("--config-dir="):
            yield word.partition("=")[2]
        elif word.startswith("hydra.searchpath="):
            yield from re.findall(r"file://([^,\]'\"]+)", word)
