"""Values of a JSON file, read by type: each error names the file, the key, the value and what was expected."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEND = "write the right id into both files, or take both from the model's Hub page"
"""Remedy for files of a checkpoint that disagree."""
LARGEST = 2**24
"""The largest size or id that a model may have."""
LARGEST_NUMBER = 1e300
REMEDY = "take the file from the model's Hub page"
POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class JsonValues:
    """The values of a JSON object, and where it is: its file, and its key if it lies inside another object."""

    values: Mapping[str, Any]
    where: str

    def whole(self, key: str, least: int = 1, most: int = LARGEST, default: int | None = None) -> int:
        """Return a whole number. default: used for null and a missing key; None: these raise ValueError too."""
        value = self._present(key, default)
        if type(value) is not int or not least <= value <= most:
            raise self.error(key, f"a whole number from {least} to {most}")
        return value

    def number(self, key: str) -> float:
        """Return a number above 0."""
        value = self._present(key)
        if type(value) not in (int, float) or not 0 < value <= LARGEST_NUMBER:
            raise self.error(key, "a number above 0")
        return float(value)

    def ids(self, key: str, most: int, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """Return token ids; the file holds one id or a list of them."""
        value = self._present(key, default)
        listed = tuple(value) if isinstance(value, list | tuple) else (value,)
        if not listed or any(type(token) is not int or not 0 <= token <= most for token in listed):
            raise self.error(key, f"an id from 0 to {most}, or a list of such ids")
        return tuple(dict.fromkeys(listed))

    def inner(self, key: str) -> JsonValues | None:
        """Return the object under a key, None for null and a missing key."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(key, "an object { }")
        return JsonValues(value, f"{self.where}: {key}")

    def one_of(self, key: str, allowed: tuple[object, ...], model: str) -> None:
        """Raise ValueError for a key whose value is none of the allowed ones. A missing key is allowed."""
        if key in self.values and self.values[key] not in allowed:
            raise ValueError(
                f"{self.where}: {key} is {self._shown(key)}, but only {allowed[0]!r} is supported for {model}"
            )

    def error(self, key: str, expected: str) -> ValueError:
        """Return the error of a wrong value."""
        return ValueError(f"{self.where}: {key} is {self._shown(key)}, expected {expected}; {REMEDY}")

    def _present(self, key: str, default: Any = None) -> Any:
        value = self.values.get(key)
        value = default if value is None else value
        if value is None:
            raise ValueError(f"{self.where}: missing key {key}; {REMEDY}")
        return value

    def _shown(self, key: str) -> str:
        value = self.values[key]
        if isinstance(value, float) and not math.isfinite(value):
            return json.dumps(value)
        text = repr(value)
        return text if len(text) <= 120 else f"{text[:117]}..."


def read_json(file: Path) -> JsonValues:
    """Return the object of a JSON file. Raises ValueError in one line for a file that holds something else."""
    refuse_pointer(file)
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file}: not JSON ({error}); was it downloaded in full?") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds {_kind(content)}, expected an object {{ }}; {REMEDY}")
    return JsonValues(content, str(file))


def _kind(content: object) -> str:
    return "a list" if isinstance(content, list) else repr(content)[:60]


def refuse_pointer(file: Path) -> None:
    """Raise ValueError for a Git LFS pointer: a text of three lines in the place of a file."""
    with file.open("rb") as content:
        if content.read(len(POINTER)) == POINTER:
            raise ValueError(
                f"{file}: a Git LFS pointer instead of the file; run `git lfs pull` in its folder, or download it with "
                "`hf download`"
            )
