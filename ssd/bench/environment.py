"""The circumstances of a run: versions, device, threads, commit. A number without them means little."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from ssd.modeling.checkpoint import PROJECT_ROOT

LIBRARIES = ("torch", "transformers", "tokenizers", "safetensors", "hydra-core", "datasets", "numpy")
MUST_MATCH = ("python", "libraries", "device", "device_name", "threads", "attention_backend", "commit", "dirty")


def describe(device: torch.device) -> dict[str, Any]:
    """Everything outside the configuration that a result may depend on."""
    commit, dirty = _git()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "attention_backend": "sdpa without a context, explicit softmax beside a context",
        "commit": commit,
        "dirty": dirty,
    }


def differences(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What differs between two environments in a way that forbids mixing their samples, as `name: old → new`."""
    return [f"{name}: {stored.get(name)} → {now[name]}" for name in MUST_MATCH if stored.get(name) != now[name]]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git() -> tuple[str | None, bool | None]:
    """Commit and whether tracked files differ from it; None outside a git checkout."""
    answers = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        try:
            done = subprocess.run(["git", *command], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None, None
        answers.append(done.stdout.strip())
    return answers[0], bool(answers[1])
