"""Read a local data set: a .jsonl or .jsonl.gz file with one object per line, or a .json file with a list."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_records(path: str | Path, key: str) -> list[tuple[str, dict[str, Any]]]:
    """Return every object of the file with its place (`FILE line N`); errors name `key`, the option of the path.

    Raise ValueError for a wrong format, and OSError for an unreadable file.
    """
    file = Path(path).expanduser()
    if not file.name.endswith((".jsonl", ".jsonl.gz", ".json")):
        raise ValueError(
            f"{key}={path} has another format; expected a .jsonl, .jsonl.gz or .json file; pass {key}=FILE.jsonl"
        )
    content = _content(file, key)
    if file.name.endswith(".json"):
        items = _parsed(content, str(file))
        if not isinstance(items, list):
            raise ValueError(
                f"{file} holds {type(items).__name__}; expected a list of objects; pass another {key}=FILE"
            )
        records = [(f"{file} item {number}", item) for number, item in enumerate(items, start=1)]
    else:
        # Not splitlines(): it also splits at U+2028 and others, which JSON strings may contain.
        places = [(f"{file} line {number}", line) for number, line in enumerate(content.split(b"\n"), start=1)]
        records = [(place, _parsed(line, place)) for place, line in places if line.strip()]
    for place, record in records:
        if not isinstance(record, dict):
            raise ValueError(f"{place} holds {type(record).__name__}; expected a JSON object; correct the line")
    if not records:
        raise ValueError(f"{file} is empty; expected one JSON object per line; pass another file as {key}=FILE")
    return records


def require_text(record: Mapping[str, Any], field: str, place: str) -> str:
    """Return a field of text; raise ValueError if it is missing or empty."""
    if field not in record:
        found = ", ".join(record) or "no fields"
        raise ValueError(f"{place} has no field {field!r} (it has {found}); add it or pass another data set")
    value = record[field]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{place}: field {field!r} is {value!r}; expected a non-empty string; correct the line")
    return value


def require_texts(record: Mapping[str, Any], field: str, place: str) -> list[str]:
    """Return a field that is a list of texts; raise ValueError otherwise."""
    value = record.get(field)
    if not isinstance(value, list) or not value or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{place}: field {field!r} is {value!r}; expected a list of strings; correct the line")
    return value


def _content(file: Path, key: str) -> bytes:
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{key}={file} does not exist; pass an existing file as {key}=FILE, or {key}=null for the Hub's"
        ) from error
    except IsADirectoryError as error:
        raise ValueError(f"{key}={file} is a folder; expected a file; pass {key}={file}/NAME.jsonl") from error
    except OSError as error:
        # Keeps the class: PermissionError stays PermissionError.
        raise type(error)(f"{key}={file} cannot be read ({error.strerror}); pass a readable {key}=FILE") from error
    if file.name.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{file} is not a whole gzip file ({error}); fetch it again or pass {key}=FILE") from error
    return content.removeprefix(b"\xef\xbb\xbf")


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"{place} is not JSON ({error}); correct the line or fetch the file again") from error
