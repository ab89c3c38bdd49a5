"""The source files of a decoder, or of a user's own task: the id of a run depends on them."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.decoder import Decoder

OURS = ("ssd", "baselines")
SHARED = ("ssd.decoding.", "ssd.tasks.")
"""Packages with the base classes of decoders and tasks. Every run stores their commit, and a task its version."""
LIBRARIES = ("site-packages", "dist-packages")
"""Folders of installed packages."""


def classes_of(decoder: Decoder) -> tuple[type, ...]:
    """Return the classes that a decoder's source consists of: its own, and that of its commit rule."""
    commit = decoder.commit if isinstance(decoder, BlockDecoder) else None
    return (type(decoder),) if commit is None else (type(decoder), type(commit))


@cache  # one class, one source: a file that is edited after its import has no effect in this process
def source_of(*kinds: type) -> str:
    """Return 16 hex digits that identify the source files of classes; comments and layout do not count."""
    digest = hashlib.sha256()
    for name, file in sorted(source_files(*kinds).items()):
        digest.update(f"{name}\n{ast.unparse(ast.parse(file.read_bytes()))}\n".encode())
    return digest.hexdigest()[:16]


def source_files(*kinds: type) -> dict[str, Path]:
    """Return the source files of classes by module: of each class, of its bases, and of what they import beside them.

    Beside a module is its own package, in `ssd` its own room. For a user's module it is also the folder around that.
    Base classes of other people's packages, and those that all decoders or tasks share, do not count.
    """
    tops = (*OURS, *(_top(kind.__module__) for kind in kinds))
    bases = {base.__module__ for kind in kinds for base in kind.__mro__ if _top(base.__module__) in tops}
    own = {name: getattr(sys.modules[name], "__file__", None) for name in bases if not name.startswith(SHARED)}
    waiting = [(name, Path(file)) for name, file in own.items() if file and file.endswith(".py")]
    found: dict[str, Path] = {}
    while waiting:
        name, file = waiting.pop()
        if name not in found:
            found[name] = file
            waiting += _imported(name, file)
    return found


def _imported(name: str, file: Path) -> Iterator[tuple[str, Path]]:
    """Yield the modules beside `name` that it imports, and their files; also those that it imports later."""
    is_package = file.name == "__init__.py"
    root = file.parents[name.count(".") + is_package]
    package = name if is_package else name.rpartition(".")[0]
    for target in _targets(ast.parse(file.read_bytes()), package):
        place = root / target.replace(".", "/")
        for candidate in (place.with_suffix(".py"), place / "__init__.py"):
            if _is_beside(target, name, root) and candidate.is_file():
                yield target, candidate


def _targets(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield all names that may be modules: `from a import b` imports a, and perhaps a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package)
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != "*"))


def _is_beside(target: str, name: str, root: Path) -> bool:
    """Return whether a module is of the same package as `name`, or another module of the user's."""
    depth = 2 if _top(target) == "ssd" else 1
    if target.split(".")[:depth] == name.split(".")[:depth]:
        return True
    return _top(target) not in OURS and _top(name) not in OURS and not set(LIBRARIES) & set(root.parts)


def _top(name: str) -> str:
    return name.partition(".")[0]
