"""Read a local data set: a .jsonl or .jsonl.gz file with one object per line, or a .json file with a list."""

from __future__ import annotations

import gzip
import json
import stat
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

MOST_MIB = 256
"""Limit of a file's content, unpacked. Reading takes several times as much memory."""
_CHUNK_BYTES = 1 << 20


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
        if not stat.S_ISREG(file.stat().st_mode):  # opening a pipe would wait for its writer
            kind = "a folder" if file.is_dir() else "a pipe or a device"
            raise ValueError(f"{key}={file} is {kind}; expected a file; pass {key}=FILE.jsonl")
        with file.open("rb") as stream:
            content = _unpacked(stream, file, key) if file.name.endswith(".gz") else _bounded(stream, file, key)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{key}={file} does not exist; pass an existing file as {key}=FILE, or {key}=null for the Hub's"
        ) from error
    except OSError as error:
        # Keeps the class: PermissionError stays PermissionError.
        raise type(error)(f"{key}={file} cannot be read ({error.strerror}); pass a readable {key}=FILE") from error
    return content.removeprefix(b"\xef\xbb\xbf")


def _unpacked(stream: IO[bytes], file: Path, key: str) -> bytes:
    try:
        return _bounded(gzip.GzipFile(fileobj=stream), file, key)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{file} is not a whole gzip file ({error}); fetch it again or pass {key}=FILE") from error


def _bounded(stream: IO[bytes] | gzip.GzipFile, file: Path, key: str) -> bytes:
    """Return the whole content of the stream; raise ValueError as soon as it exceeds the limit."""
    content = bytearray()
    while chunk := stream.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > MOST_MIB << 20:
            raise ValueError(
                f"{key}={file} holds more than {MOST_MIB} MiB of text; expected a data set of prompts; pass a part of "
                f"it as {key}=FILE.jsonl"
            )
    return bytes(content)


def _parsed(text: bytes, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place} is not JSON ({error}); correct the line or fetch the file again") from error
