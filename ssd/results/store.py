"""The folder of one run: samples are appended, summaries are written whole, a killed run is resumed."""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ssd.results.atomic_io import LOCK, append_line, cut_torn_line, locked, make_folder, write_atomically, write_json
from ssd.results.environment import differences
from ssd.results.reader import parse_line, place_of, read_json, require_sample, whole_lines
from ssd.results.repair import drop_damaged
from ssd.results.responses import Responses
from ssd.results.run_id import run_id
from ssd.results.schema import SCHEMA, Done, Failure


class RunFolder:
    """`results/<run id>/`: config.yaml, environment.json, samples.jsonl, summary.json, done.json, traces/."""

    def __init__(self, root: Path, config: Mapping[str, Any]) -> None:
        self.config = config
        self.run_id = run_id(config)
        self.path = root / self.run_id
        self._samples = self.path / "samples.jsonl"
        self.responses = Responses(self.path / "responses.jsonl")

    @property
    def is_done(self) -> bool:
        return (self.path / "done.json").is_file()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the run against other processes. Raises BlockingIOError if one of them measures it."""
        make_folder(self.path)
        try:
            with locked(self.path):
                yield
        except BlockingIOError as error:
            raise BlockingIOError(f"{self.path}: another process is measuring this run; wait for it") from error

    def clear(self) -> None:
        """Remove everything measured so far; the lock stays.

        done.json goes first, environment.json after the lines it describes, so that a kill leaves no lines without it.
        """
        for name in ("done.json", "samples.jsonl", "responses.jsonl"):
            (self.path / name).unlink(missing_ok=True)
        for path in self.path.glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def open(self, environment: dict[str, Any]) -> list[dict[str, Any]]:
        """Make or reopen the folder and return the samples already there; a torn last line is cut off the file.

        Raises ValueError if those were measured under other circumstances, or stored in another schema.
        """
        make_folder(self.path)
        if self.config["repair"]:
            self.repair()
        (self.path / "error.json").unlink(missing_ok=True)
        for partial in self.path.rglob("*.partial"):  # of a writer that was killed
            partial.unlink()
        cut_torn_line(self._samples)
        samples = self.samples()
        stored = self.path / "environment.json"
        begun = samples or self.responses.open()
        if begun:
            changed = differences(self.read(stored.name), environment)
            if changed:
                raise ValueError(
                    f"{self.path} holds {len(begun)} samples measured elsewhere ({'; '.join(changed)}); "
                    "pass overwrite=true to measure them anew, or another results_dir"
                )
        (self.path / "done.json").unlink(missing_ok=True)
        write_atomically(self.path / "config.yaml", yaml.safe_dump(dict(self.config), sort_keys=False))
        write_json(stored, {"schema": SCHEMA, **environment})
        return samples

    def repair(self) -> None:
        """Drop damaged lines, and lines that are there twice; their prompts are decoded or audited again."""
        drop_damaged(self._samples, lambda text: place_of(parse_line(text, require_sample)))
        self.responses.repair()

    def stored(self) -> int:
        """Return the number of whole lines in samples.jsonl."""
        if not self._samples.is_file():
            return 0
        with self._samples.open("rb") as lines:
            return sum(line.endswith(b"\n") for line in lines)

    def samples(self) -> list[dict[str, Any]]:
        """Return the lines of samples.jsonl, without a torn last one. Raises ValueError for a damaged one."""
        return list(whole_lines(self._samples, require_sample))

    def append(self, sample: Mapping[str, Any]) -> None:
        """Add one sample and wait for the disk. Raises OSError in one line; the samples before stay whole."""
        append_line(self._samples, json.dumps({"schema": SCHEMA, **sample}))

    def keep(self, measured: dict[str, Any]) -> None:
        """Store what was measured before the first prompt, so that a resumed run uses the same values."""
        write_json(self.path / "measured.json", measured)

    def kept(self) -> dict[str, Any]:
        """Return what `keep` stored, or nothing."""
        return self.read("measured.json") if (self.path / "measured.json").is_file() else {}

    def write_trace(self, index: int, repeat: int, trace: Mapping[str, Any]) -> None:
        make_folder(self.path / "traces")
        write_json(self.path / "traces" / f"{index:06d}-{repeat}.json", trace)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, then done.json, which marks the run as done."""
        write_json(self.path / "summary.json", summary)
        self.responses.remove()
        done: Done = {"run_id": self.run_id, "prompts": summary["prompts"]}
        write_json(self.path / "done.json", done)

    def fail(self, error: BaseException) -> None:
        """Write the traceback of a failed run to error.json, and add that file's path to the error's notes."""
        file = self.path / "error.json"
        lines = traceback.format_exception(error)
        try:
            make_folder(self.path)
            failure: Failure = {"error": f"{type(error).__name__}: {error}", "traceback": "".join(lines)}
            write_json(file, failure)
        except OSError as refusal:  # must not hide the first error
            if not isinstance(error, OSError):  # both would be about the disk
                error.add_note(f"no error.json: {refusal}")
        else:
            error.add_note(f"traceback: {file}")

    def read(self, name: str) -> dict[str, Any]:
        """Return a JSON file of this run. Raises ValueError if it is not whole, or of another schema."""
        return read_json(self.path / name, checked=name in ("summary.json", "environment.json"))
