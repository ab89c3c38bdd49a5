"""The version of the installed package."""

from __future__ import annotations

from importlib import metadata


def version_line() -> str:
    """Return `ssd-benchmark 1.2.3`."""
    try:
        return f"ssd-benchmark {metadata.version('ssd-benchmark')}"
    except metadata.PackageNotFoundError:
        return "ssd-benchmark, not installed"
