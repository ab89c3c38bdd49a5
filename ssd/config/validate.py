"""Checks of single options. Each raises ValueError in one line that names the option."""

from __future__ import annotations

from collections.abc import Collection


def require_bool(key: str, value: object) -> None:
    """Raise ValueError unless the value is a bool. Hydra reads `no` and `off` as text, which Python counts as true."""
    if type(value) is not bool:
        raise ValueError(f"{key}={value}: expected true or false")


def require_text(key: str, value: object) -> None:
    """Raise ValueError unless the value is text of at least one character."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}={value}: expected a path or a name")


def require_one_of(key: str, value: object, choices: Collection[str]) -> None:
    """Raise ValueError unless the value is one of the choices."""
    if value not in tuple(choices):
        raise ValueError(f"{key}={value}: expected one of {', '.join(choices)}")


TEXTS = (
    "model.name", "model.path", "model.revision", "model.verifier", "decoder.name", "decoder.verifier", "decoder.graph",
    "decoder.prior", "task.name", "task.path", "task.fewshot_path", "results_dir",
)  # fmt: skip
"""Options that hold a name, an id or a path."""


def as_text(key: str, value: object) -> object:
    """Return a whole number as text. Raises ValueError for other numbers, whose text is lost."""
    if type(value) is float:
        raise ValueError(
            f"{key}={value}: YAML reads this name or id as a number; write it in quotes, as '{key}=\"12e4\"'"
        )
    return str(value) if type(value) is int else value
