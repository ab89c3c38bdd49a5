"""Responses of the reference, decoded once for a model and its settings and shared by runs."""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from ssd.config.plan import Plan
from ssd.config.source import classes_of, source_of
from ssd.modeling.fingerprint import fingerprint
from ssd.results.atomic_io import append_line, make_folder, storing, write_json
from ssd.results.records import Timed
from ssd.results.run_id import path_part, plain
from ssd.results.schema import MUST_MATCH

FOLDER = "references"
"""Name of the folder of references, in a results folder."""
WITHOUT_INFLUENCE = (
    "limit", "device", "threads", "reference", "warmup", "traces", "predict", "repeats", "pass_at", "timing", "workers",
    "address",
)  # fmt: skip
"""Keys of `runtime` that change no response; the circumstances hold the resolved device and threads."""


def references_of(plan: Plan, circumstances: Mapping[str, Any]) -> dict[str, References]:
    """Return the store of each side that runs share: `reference`, and `uncached` in a reference chain."""
    caches: dict[str, str] = {"reference": plan.settings.cache}
    if plan.runtime.reference == "chain":
        caches["uncached"] = "none"
    names = (
        type(plan.reference).__name__.lower(),
        *(path_part(plan.config[group]["name"]) for group in ("model", "task")),
    )
    return {
        side: References(plan.results_dir / FOLDER, "-".join((*names, cache)), key(plan, cache, circumstances))
        for side, cache in caches.items()
    }


def key(plan: Plan, cache: str, circumstances: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that a response of the reference depends on, apart from its prompt and seed."""
    decoder, runtime = type(plan.reference), plan.config["runtime"]
    settings = asdict(replace(plan.settings.with_cache(cache), steps=plan.config["generation"]["steps"]))
    if settings["token_frequencies"] is not None:  # a response depends on a file's contents, not on its path
        settings["token_frequencies"] = [fingerprint(file) for file in plan.settings.files()]
    locked = plan.runtime.numerics == "locked"
    return {
        "reference": f"{decoder.__module__}.{decoder.__qualname__}",
        "source": source_of(*classes_of(plan.reference)),
        "options": {name: _option(value) for name, value in vars(plan.reference).items() if name != "_arguments"},
        "model": {name: plan.config["model"][name] for name in ("path", "revision", "mask_id", "end_ids")},
        "generation": {name: value for name, value in settings.items() if name != "seed"},
        "runtime": {name: value for name, value in runtime.items() if name not in WITHOUT_INFLUENCE},
        "nodes": max(plan.reference.most_nodes, plan.decoder.most_nodes) if locked else None,
        "circumstances": {name: circumstances[name] for name in MUST_MATCH},
    }


def _option(value: object) -> Any:
    """Return an option as plain data, an object as its class and its own options: a rule's text may omit some."""
    if not hasattr(value, "__dict__"):
        return str(value)
    kind = type(value)
    return {"class": f"{kind.__module__}.{kind.__qualname__}", **{n: _option(each) for n, each in vars(value).items()}}


class References:
    """`references/<readable prefix>-<hash>/`: key.json holds the key, lines.jsonl a line per prompt and seed.

    Several processes may share it: a line is appended whole, under a lock, and a torn line of a killed writer is cut
    off. Raises ValueError for a line that cannot be read.
    """

    def __init__(self, root: Path, prefix: str, key: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(plain(key), sort_keys=True).encode()).hexdigest()
        self.path = root / f"{prefix}-{digest[:10]}"
        self._key = key
        self._file = self.path / "lines.jsonl"
        self._read = 0
        self._lines: dict[tuple[str, int], bytes] = {}

    def has(self, prompt_sha256: str, seed: int) -> bool:
        """Return whether the response is stored."""
        if (prompt_sha256, seed) not in self._lines and self._file.is_file():
            with self._file.open("rb") as file:
                self._catch_up(file)
        return (prompt_sha256, seed) in self._lines

    def find(self, prompt_sha256: str, seed: int) -> Timed | None:
        """Return the response, untimed; None if it is not stored."""
        if not self.has(prompt_sha256, seed):
            return None
        return Timed.from_json(json.loads(self._lines[prompt_sha256, seed]))

    def settle(self, prompt_sha256: str, seed: int, timed: Timed) -> bool:
        """Store a response, or compare it with the stored one; return whether it differs from that."""
        stored = self.find(prompt_sha256, seed)
        if stored is None:
            stored = self._add(prompt_sha256, seed, timed)
        return stored.decoded.response_ids != timed.decoded.response_ids

    def _add(self, prompt_sha256: str, seed: int, timed: Timed) -> Timed:
        """Append a response, unless another process has done so meanwhile; return the stored one."""
        make_folder(self.path)
        with storing(self._file), self._file.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not (self.path / "key.json").is_file():
                write_json(self.path / "key.json", self._key)
            self._catch_up(file)
            if (prompt_sha256, seed) not in self._lines:
                file.truncate(self._read)  # a torn line of a killed writer
                line = {"prompt_sha256": prompt_sha256, "seed": seed, **timed.untimed().to_json()}
                append_line(self._file, json.dumps(line))
                self._catch_up(file)
        return Timed.from_json(json.loads(self._lines[prompt_sha256, seed]))

    def _catch_up(self, file: IO[bytes]) -> None:
        """Read the whole lines that were appended since the last time, or all lines of a file that was replaced."""
        file.seek(max(0, self._read - 1))
        if self._read and file.read(1) != b"\n":  # the file was deleted meanwhile, and perhaps begun anew
            self._read = 0
            self._lines.clear()
        file.seek(self._read)
        content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        for text in whole.splitlines():
            try:
                line = json.loads(text)
                place = line["prompt_sha256"], line["seed"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{self._file}: a line is no reference ({text[:40]!r}...); delete this file: its responses are "
                    "decoded again"
                ) from error
            self._lines.setdefault(place, text)
        self._read += len(whole)
