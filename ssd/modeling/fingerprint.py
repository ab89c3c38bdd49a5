"""Fingerprints of checkpoints, and of files that a decoder reads: hashes of their whole contents."""

from __future__ import annotations

import hashlib
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ssd.modeling.checkpoint import TOKENIZER_FILES
from ssd.modeling.weight_files import INDEX

READ = ("config.json", INDEX, *TOKENIZER_FILES)
"""Files of a checkpoint that a result depends on, beside the weight files."""
SMALL_BYTES = 16 * 2**20
"""Files below this size are hashed each time, which takes milliseconds."""
SETTLED_NS = 2 * 10**9
"""A hash is kept for files that did not change for this time: a file system's clock may be coarse."""
PARALLEL_FILES = 8

Stamp = list[int]
_KEPT: dict[str, tuple[Stamp, str]] = {}
"""Hashes that this process knows, by path."""


def fingerprint(path: Path) -> str:
    """Return 16 hex digits that identify a file, or a checkpoint's weights, config and tokenizer, by their content.

    The hash of a large file is kept in the user's cache folder for as long as its size, times and inode stay.
    """
    if path.is_file():
        return _sha256(path)[:16]
    files = [file for file in (*(path / name for name in READ), *sorted(path.glob("*.safetensors"))) if file.is_file()]
    with ThreadPoolExecutor(PARALLEL_FILES) as pool:
        lines = [f"{file.name} {digest}\n" for file, digest in zip(files, pool.map(_sha256, files), strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Return the folder of kept hashes. Raises RuntimeError for a user without a home folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ssd-benchmark" / "sha256"


def _sha256(file: Path) -> str:
    """Return the SHA-256 of a file's content, in hex, as the Hub shows it beside a weight file."""
    stamp = _stamp(file)
    if stamp[0] < SMALL_BYTES:
        return _hashed(file)
    path = str(file.resolve())
    kept = _KEPT.get(path) or _stored(path)
    if kept and kept[0] == stamp:
        digest = kept[1]
    else:
        digest = _hashed(file)
        if stamp != _stamp(file) or time.time_ns() - max(stamp[1:3]) < SETTLED_NS:
            return digest
        _store(path, stamp, digest)
    _KEPT[path] = stamp, digest
    return digest


def _stamp(file: Path) -> Stamp:
    """Return size, both times and inode. A program can set mtime back after a change, but not ctime."""
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _hashed(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _entry(path: str) -> Path:
    return cache_folder() / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def _stored(path: str) -> tuple[Stamp, str] | None:
    """Return the stamp and the hash in the cache folder, None if there are none that can be read."""
    try:
        stored = json.loads(_entry(path).read_bytes())
        return stored["stamp"], stored["sha256"]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        return None


def _store(path: str, stamp: Stamp, digest: str) -> None:
    """Write an entry of the cache folder. Without one that can be written, every process hashes the file again."""
    try:
        entry = _entry(path)
        entry.parent.mkdir(parents=True, exist_ok=True)
        partial = entry.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"file": path, "stamp": stamp, "sha256": digest}))
        partial.replace(entry)
    except (OSError, RuntimeError):
        return
