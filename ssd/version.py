"""The version of the installed package."""

from __future__ import annotations

from importlib import metadata

NAME = "ssd-benchmark"


def version() -> str:
    """Return the version, `not installed` for a folder that only Python's path names."""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "not installed"


def version_line() -> str:
    """Return `ssd-benchmark 1.2.3`."""
    return f"{NAME} {version()}"
