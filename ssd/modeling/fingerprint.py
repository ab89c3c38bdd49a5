"""Fingerprints of checkpoints, and of files that a decoder reads."""

from __future__ import annotations

import hashlib
from pathlib import Path


def fingerprint(path: Path) -> str:
    """Return 16 hex digits that identify a file or a checkpoint.

    For a checkpoint they depend on config.json and on the sizes and ends of the weight files, which is fast.
    """
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    checkpoint, digest = path, hashlib.sha256((path / "config.json").read_bytes())
    for file in sorted(checkpoint.glob("*.safetensors")):
        size = file.stat().st_size
        with file.open("rb") as weights:
            digest.update(f"{file.name}:{size}".encode() + weights.read(2**20))
            weights.seek(max(0, size - 2**20))
            digest.update(weights.read())
    return digest.hexdigest()[:16]
