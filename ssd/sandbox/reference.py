"""Analyse the code of a data set: the names that tests take from the solution, and reasons why a judge cannot run it.

The names come from the reference solution, never from the program. So a program that defines its own `set` or `math`
does not change the `set` and `math` of the tests.
"""

from __future__ import annotations

import ast
import symtable
import sys
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager


def names_under_test(reference: str, tests: str) -> tuple[str, ...]:
    """Return the names that the reference defines and the tests use, sorted."""
    with _compiling():
        symbols = symtable.symtable(reference, "<reference>", "exec").get_symbols()
    defined = {symbol.get_name() for symbol in symbols if symbol.is_assigned() and not symbol.is_imported()}
    return tuple(sorted(defined & _names_used(tests)))


def imports_under_test(reference: str, tests: str) -> str:
    """Return the reference's import statements for modules that the tests use without importing them."""
    used = _names_used(tests)
    statements: list[str] = []
    for node in _parsed(reference).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name.partition(".")[0]) in used]
            if node.names:
                statements.append(ast.unparse(node))
    return "\n".join(statements)


def objection(source: str, names: Collection[str] = ()) -> str | None:
    """Return why the judge cannot run this code with the names from a program, or None if it can."""
    try:
        with _compiling():
            compile(source, "<data set>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"is no Python ({error})"
    tree = _parsed(source)
    missing = sorted(_modules(tree) - sys.stdlib_module_names)
    if missing:
        return f"imports {missing[0]}; tests can import the standard library only"
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        passed = [*call.args, *(keyword.value for keyword in call.keywords)]
        if (
            isinstance(call.func, ast.Name)
            and call.func.id in names
            and any(isinstance(one, ast.Lambda) for one in passed)
        ):
            return f"passes a function to {call.func.id}; programs receive plain data only"
    return None


def _modules(tree: ast.Module) -> set[str]:
    """Return the packages that the code imports at its top level."""
    named = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in named}


def _names_used(source: str) -> set[str]:
    return {node.id for node in ast.walk(_parsed(source)) if isinstance(node, ast.Name)}


def _parsed(source: str) -> ast.Module:
    with _compiling():
        return ast.parse(source)


@contextmanager
def _compiling() -> Iterator[None]:
    """Raise SyntaxError for code that Python cannot nest, and hide warnings about strings such as "\\w"."""
    with warnings.catch_warnings(action="ignore"):
        try:
            yield
        except (MemoryError, RecursionError) as error:  # Python's parser raises MemoryError when its stack is full
            raise SyntaxError("it is nested too deep") from error
