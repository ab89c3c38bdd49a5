"""One run's folder: appended samples, atomic summaries, resume after a kill."""

from __future__ import annotations

import hashlib
import json
import shutil
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ssd.results.atomic_io import LOCK, append_line, locked, make_folder, write_atomically, write_json
from ssd.results.environment import differences
from ssd.results.responses import Responses

# What a result does not depend on, or is hashed by its contents: the documents asked, a decoder's files.
NOT_HASHED = (
    "results_dir", "overwrite", "tracker", "task.workers", "runtime.pass_at", "runtime.workers", "runtime.address",
    "runtime.limit", "task.path", "task.fewshot_path", "decoder.graph",
)  # fmt: skip
NOT_HASHED_UNTIMED = ("runtime.warmup", "runtime.predict")
"""What a result does not depend on either where nothing is timed."""


def run_id(config: Mapping[str, Any]) -> str:
    """A readable prefix and a hash of the result-relevant part of a resolved configuration."""
    ignored = NOT_HASHED if config["runtime"].get("timing", True) else NOT_HASHED + NOT_HASHED_UNTIMED
    if isinstance(config["decoder"].get("costs"), str):  # a file's path, where they are not the values themselves
        ignored += ("decoder.costs",)
    relevant = {
        group: {key: value for key, value in values.items() if f"{group}.{key}" not in ignored}
        if isinstance(values, Mapping)
        else values
        for group, values in config.items()
        if group not in ignored
    }
    digest = hashlib.sha256(json.dumps(plain(relevant), sort_keys=True).encode()).hexdigest()
    return "-".join((config["decoder"]["name"], config["model"]["name"], config["task"]["name"], digest[:10]))


def plain(value: Any) -> Any:
    """Equal numbers spelled alike: 1.0 as 1."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
        """Keep other processes from measuring the same run meanwhile; BlockingIOError if one does."""
        make_folder(self.path)
        try:
            with locked(self.path):
                yield
        except BlockingIOError as error:
            raise BlockingIOError(f"{self.path}: another process is measuring this run; wait for it") from error

    def clear(self) -> None:
        """Forget everything measured so far, and first of all that it was done; who holds the folder goes on to."""
        (self.path / "done.json").unlink(missing_ok=True)
        for path in self.path.glob("*"):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def open(self, environment: dict[str, Any]) -> list[dict[str, Any]]:
        """Make or reopen the folder; returns the samples already there, a torn last line dropped from the file.

        Raises ValueError if those were measured under other circumstances.
        """
        make_folder(self.path)
        (self.path / "error.json").unlink(missing_ok=True)
        for partial in self.path.rglob("*.partial"):  # of a writer that was killed
            partial.unlink()
        samples = self._repair()
        stored = self.path / "environment.json"
        begun = samples or self.responses.open()
        if begun and stored.is_file():
            changed = differences(json.loads(stored.read_text()), environment)
            if changed:
                raise ValueError(
                    f"{self.path} holds {len(begun)} samples measured elsewhere ({'; '.join(changed)}); "
                    "pass overwrite=true to measure them anew, or another results_dir"
                )
        write_atomically(self.path / "config.yaml", yaml.safe_dump(dict(self.config), sort_keys=False))
        write_json(stored, environment)
        return samples

    def append(self, sample: Mapping[str, Any]) -> None:
        """Add one sample and make sure that it has reached the disk; OSError in one line leaves those before whole."""
        append_line(self._samples, json.dumps(sample))

    def keep(self, measured: dict[str, Any]) -> None:
        """Keep what the decoder measured before it began, so that a resumed run goes on with the same figures."""
        write_json(self.path / "measured.json", measured)

    def kept(self) -> dict[str, Any]:
        """What `keep` was given, or nothing."""
        return self.read("measured.json") if (self.path / "measured.json").is_file() else {}

    def write_trace(self, index: int, repeat: int, trace: Mapping[str, Any]) -> None:
        make_folder(self.path / "traces")
        write_json(self.path / "traces" / f"{index:06d}-{repeat}.json", trace)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, and last of all the mark that the run is done."""
        write_json(self.path / "summary.json", summary)
        self.responses.remove()
        write_json(self.path / "done.json", {"run_id": self.run_id, "prompts": summary["prompts"]})

    def fail(self, error: BaseException) -> None:
        """Leave the traceback of a failed run beside its samples, and in the error's notes where it is."""
        file = self.path / "error.json"
        lines = traceback.format_exception(error)
        try:
            make_folder(self.path)
            write_json(file, {"error": f"{type(error).__name__}: {error}", "traceback": "".join(lines)})
        except OSError as refusal:  # which must not hide what went wrong before it
            if not isinstance(error, OSError):  # else it is the disk itself that is told of
                error.add_note(f"no error.json: {refusal}")
        else:
            error.add_note(f"traceback: {file}")

    def read(self, name: str) -> dict[str, Any]:
        """summary.json or environment.json of this run. Raises ValueError for one that is not whole."""
        file = self.path / name
        try:
            return json.loads(file.read_text())
        except ValueError as error:
            raise ValueError(f"{file} cannot be read ({error}); pass overwrite=true to measure the run anew") from error

    def _repair(self) -> list[dict[str, Any]]:
        """The whole lines of samples.jsonl; bytes after the last of them are cut off."""
        if not self._samples.is_file():
            return []
        content = self._samples.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with self._samples.open("r+b") as file:
                file.truncate(len(whole))
        samples = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                samples.append(json.loads(line))
            except ValueError as error:  # not JSON, or not even UTF-8
                raise ValueError(
                    f"{self._samples}, line {number} is not JSON; pass overwrite=true to start anew"
                ) from error
        return samples
