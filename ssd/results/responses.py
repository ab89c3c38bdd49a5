"""responses.jsonl: the timed responses of a run, from their decoding until the run is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ssd.results.atomic_io import append_line, cut_torn_line
from ssd.results.reader import UNREADABLE, damaged
from ssd.results.records import Response
from ssd.results.repair import drop_damaged

Place = tuple[int, int]
"""Index of the prompt and number of the response to it."""


class Responses:
    """The lines of one file, read one at a time: all of them together would need much memory."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offsets: dict[Place, int] = {}

    def open(self) -> list[dict[str, Any]]:
        """Cut off a torn last line; return place and prompt hash of every line. Raises ValueError for a corrupt one."""
        self._offsets.clear()
        if not self._file.is_file():
            return []
        cut_torn_line(self._file)
        found, end = [], 0
        with self._file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    response = Response.from_json(json.loads(line))
                except UNREADABLE as error:
                    raise damaged(self._file, number, "a response", error) from error
                found.append({name: getattr(response, name) for name in ("index", "repeat", "prompt_sha256")})
                self._offsets[_place(response)] = end
                end += len(line)
        return found

    def repair(self) -> None:
        """Drop damaged lines, and lines that are there twice."""
        drop_damaged(self._file, lambda line: _place(Response.from_json(json.loads(line))))

    def append(self, response: Response) -> None:
        """Add one response and wait for the disk. Raises OSError in one line; the lines before stay whole."""
        offset = self._file.stat().st_size if self._file.is_file() else 0
        append_line(self._file, json.dumps(response.to_json()))
        self._offsets[_place(response)] = offset

    def read(self, place: Place) -> Response:
        with self._file.open("rb") as lines:
            lines.seek(self._offsets[place])
            return Response.from_json(json.loads(lines.readline()))

    def __contains__(self, place: Place) -> bool:
        return place in self._offsets

    def remove(self) -> None:
        """Delete the file, once every response has its line in samples.jsonl."""
        self._file.unlink(missing_ok=True)
        self._offsets.clear()


def _place(response: Response) -> Place:
    return response.index, response.repeat
