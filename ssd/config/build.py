"""Objects of the classes that a configuration names, and one line for what cannot be built."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ssd.config.validate import require_text


def build(group: str, base: type[Any], values: dict[str, Any]) -> Any:
    """Return an object of the class that `_target_` names. Errors of its constructor pass through."""
    require_text(f"{group}._target_", values.get("_target_"))
    module, _, name = values["_target_"].rpartition(".")
    try:
        kind = getattr(import_module(module), name, None)
        if kind is None:
            raise ImportError(f"{module} has no {name}")
    except SyntaxError as error:
        place = f"{error.filename} line {error.lineno}"
        raise ValueError(f"{group}._target_={values['_target_']}: {place}: {error.msg}") from error
    except (ImportError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(
            f"{group}._target_={values['_target_']}: no such class ({reason}); mend "
            f"conf/{group.replace('.', '/')}/, or name its folder in PYTHONPATH"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise ValueError(f"{group}._target_={values['_target_']}: expected a subclass of {base.__name__}")
    options = {key: value for key, value in values.items() if key != "_target_"}
    with naming_files(group, options):
        return kind(**known(kind, group, options))


@contextmanager
def naming_files(group: str, options: Mapping[str, Any]) -> Iterator[None]:
    """Add the option's name to the system's error about a file that an option of the group names."""
    try:
        yield
    except OSError as error:
        file = Path(os.fsdecode(error.filename)).absolute() if error.filename is not None else None
        for key, value in options.items():
            if isinstance(value, str) and Path(value).expanduser().absolute() == file:
                raise type(error)(f"{group}.{key}={value}: {error.strerror}; pass {group}.{key}=FILE") from error
        raise


def known(kind: type, group: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values. Raises ValueError naming one that the constructor does not take."""
    parameters = inspect.signature(kind).parameters.values()
    names = [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"{group}.{unknown[0]} is not an option; expected one of {', '.join(names) or '(none)'}")
    return values
