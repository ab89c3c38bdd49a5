"""One line about a package that an extra of ours installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Name the pip line that installs extra `name` where an import inside fails. Raises ModuleNotFoundError."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed; install it with: pip install 'ssd-benchmark[{name}]'", name=error.name
        ) from error
