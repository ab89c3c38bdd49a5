"""The circumstances of a run: versions, device, threads, commit."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from ssd.modeling.fingerprint import fingerprint
from ssd.modeling.static_attention import PACKED_NODES
from ssd.paths import IS_INSTALLED, PACKAGE
from ssd.results.schema import MUST_MATCH

LIBRARIES = (
    "torch", "transformers", "tokenizers", "safetensors", "hydra-core", "datasets", "numpy", "lm_eval", "math-verify",
)  # fmt: skip
ATTENTION = {
    "cpu": "sdpa, node by node beside a context",
    "cuda": "sdpa without a context, beside one fused in two parts, explicit softmax where there is no such kernel",
}
"""Attention of eager forwards, by device."""
PACKED = "packed into one with up to {} nodes (locked: never), in two parts above"
AT_STATIC_SHAPES = {
    device: f"sdpa without a context, beside one at static shapes: {PACKED.format(most)}"
    for device, most in PACKED_NODES.items()
}
CODE = PACKAGE.parent
MEASURED = ("run.py", "conf", "ssd", "baselines")
"""Parts of the checkout that a result depends on."""


def describe(device: torch.device, checkpoint: Path | None = None, engine: str = "eager") -> dict[str, Any]:
    """Return everything outside the configuration that a result may depend on.

    engine: `eager` or an engine with static shapes, which use different attention.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else _processor(),
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "attention_backend": (ATTENTION if engine == "eager" else AT_STATIC_SHAPES)[device.type],
        **_code(),
        "checkpoint": fingerprint(checkpoint) if checkpoint else None,
    }


def differences(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the differences that forbid mixing samples of two environments, as `name: old → new`."""
    return [f"{name}: {stored.get(name)} → {now[name]}" for name in MUST_MATCH if stored.get(name) != now[name]]


@cache  # reading it takes milliseconds, and a grid describes every run
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Return the CPU's model name; platform.processor() is empty on most Linux systems."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _code() -> dict[str, Any]:
    """Return the commit, whether the measuring code differs from it, and a hash of the difference.

    Outside a git checkout `changes` is a hash of the code itself. With GIT_DIR=/dev/null all are None: tests set it,
    because the code may be edited while they run.
    """
    commit, diff, new = (
        _git("rev-parse", "HEAD"),
        _git("diff", "HEAD", "--", *MEASURED),
        _git("ls-files", "--others", "--exclude-standard", "--", *MEASURED),
    )
    if commit is None or diff is None or new is None:
        ignored = os.environ.get("GIT_DIR") == os.devnull
        return {"commit": None, "dirty": None, "changes": None if ignored else _hash("", _measured())}
    named = _named(diff, new.splitlines())
    dirty = bool(diff or named)
    return {"commit": commit.strip(), "dirty": dirty, "changes": _hash(diff, named) if dirty else None}


def _named(text: str, files: Iterable[str]) -> list[str]:
    """Return the files that are new to git and whose names occur in changed code, or in other such files.

    No other new file can change a result: committed code imports none, and run ids depend on decoders of the user's.
    """
    left, found = sorted(files), list[str]()
    while named := [file for file in left if re.search(rf"\b{re.escape(Path(file).stem)}\b", text)]:
        found += named
        left = [file for file in left if file not in named]
        text = "\n".join((CODE / file).read_text(errors="replace") for file in named)
    return found


def _measured() -> list[str]:
    """Return the files of MEASURED, without compiled ones."""
    roots = [CODE / name for name in MEASURED]
    files = [file for root in roots for file in (root, *root.rglob("*")) if file.is_file()]
    return sorted(str(file.relative_to(CODE)) for file in files if file.parent.name != "__pycache__")


def _hash(text: str, names: Iterable[str]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in names:
        digest.update(name.encode() + (CODE / name).read_bytes())
    return digest.hexdigest()[:16]


def _git(*words: str) -> str | None:
    if IS_INSTALLED:  # a repository around the package is a user's own
        return None
    try:
        done = subprocess.run(["git", *words], cwd=CODE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
