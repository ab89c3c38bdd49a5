"""Read a data set's own code: which names of the reference solution the tests use, and whether it can be run.

Asking the reference, never the program, keeps a program from replacing what its tests stand on: one that defines a
`set` or a `math` of its own does not reach the tests' `set` and `math`.
"""

from __future__ import annotations

import ast
import symtable
import sys
import warnings
from collections.abc import Collection


def names_under_test(reference: str, tests: str) -> tuple[str, ...]:
    """Return the names that the reference defines and the tests use, sorted."""
    with _quiet():
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
    """Say why the judge could not run this code on what a program defines under these names, or None if it could."""
    try:
        with _quiet():
            compile(source, "<data set>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return f"is no Python ({error})"
    tree = _parsed(source)
    missing = sorted(_modules(tree) - sys.stdlib_module_names)
    if missing:
        return f"imports {missing[0]}, and tests have the standard library alone"
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in calls:
        passed = [*call.args, *(keyword.value for keyword in call.keywords)]
        if (
            isinstance(call.func, ast.Name)
            and call.func.id in names
            and any(isinstance(one, ast.Lambda) for one in passed)
        ):
            return f"passes a function to {call.func.id}, and programs are sent plain data"
    return None


def _modules(tree: ast.Module) -> set[str]:
    """Return the packages that the code imports whenever it is run."""
    named = [alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in named}


def _names_used(source: str) -> set[str]:
    return {node.id for node in ast.walk(_parsed(source)) if isinstance(node, ast.Name)}


def _parsed(source: str) -> ast.Module:
    with _quiet():
        return ast.parse(source)


def _quiet() -> warnings.catch_warnings[None]:
    """Leave out the warnings about strings such as "\\w", of which data sets are full."""
    return warnings.catch_warnings(action="ignore")
