"""Folders of a user's own configuration files, named on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

OPTIONS = ("--config-dir", "-cd")


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
