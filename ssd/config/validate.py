"""Checks of single options. Each raises ValueError in one line that names the option."""

from __future__ import annotations


def require_bool(key: str, value: object) -> None:
    """Raise ValueError unless the value is a bool. Hydra reads `no` and `off` as text, which Python counts as true."""
    if type(value) is not bool:
        raise ValueError(f"{key}={value}: expected true or false")


def require_text(key: str, value: object) -> None:
    """Raise ValueError unless the value is text of at least one character."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}={value}: expected a path or a name")
