"""Optional libraries: the package's extras bring them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtraError(ModuleNotFoundError, ValueError):
    """A library of an extra is not installed; the message is one line with the remedy."""


@contextmanager
def extra(name: str, option: str = "", otherwise: str = "") -> Iterator[None]:
    """Raise MissingExtraError where an import inside the `with` block lacks a library.

    name: the extra that brings it; option: the option that needs it; otherwise: one more remedy.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if isinstance(error, MissingExtraError) or library in ("ssd", "baselines", "scripts"):
            raise
        needed = f"{option}: " if option else ""
        remedy = f'pip install "ssd-benchmark[{name}]"' + (f", or {otherwise}" if otherwise else "")
        raise MissingExtraError(f"{needed}{library} is not installed; {remedy}") from error
