"""Checks of single options, each refused in one line that names it."""

from __future__ import annotations


def require_bool(key: str, value: object) -> None:
    """Refuse what YAML takes for text: `no`, `yes` and `off` are words to Hydra, and true if asked."""
    if type(value) is not bool:
        raise ValueError(f"{key}={value}: expected true or false")


def require_text(key: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}={value}: expected a path or a name")
