"""Find out whether a statement defines a function, by `def` or by assignment."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator, Sequence

from ssd.tasks.extraction.effects import base_name, dotted_name, is_main_guard, names_in
from ssd.tasks.extraction.statements import DEFINITIONS, Statement

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ENDS = (ast.Return, ast.Yield, ast.YieldFrom, ast.Raise)
_IMPORTS = (ast.Import, ast.ImportFrom)
_PARTIAL = {"partial", "functools.partial"}


class Functions:
    """The names that code gives to its own functions and classes, and to what it imports."""

    def __init__(self, code: Sequence[Statement]) -> None:
        self.own = {name for one in code if isinstance(one.node, DEFINITIONS) or one.is_lambda for name in one.binds}
        self.imported = {name for one in code if isinstance(one.node, _IMPORTS) for name in one.binds}


def defines(statement: Statement, names: Collection[str], around: Functions) -> bool:
    """Return whether the statement defines a function with one of these names; `around` is of the code around it."""
    return any(_defines(node, names, around) for node in _nested(statement.node))


def is_stub(statement: Statement, names: Collection[str]) -> bool:
    """Return whether the statement is a function with one of these names that can only return None."""
    own_name = isinstance(statement.node, _FUNCTIONS) and statement.node.name in names
    return own_name and not defines(statement, names, Functions([]))


def can_end(node: ast.stmt) -> bool:
    """Return whether the statement can return, yield or raise."""
    return not isinstance(node, DEFINITIONS) and any(isinstance(inner, _ENDS) for inner in ast.walk(node))


def _nested(node: ast.stmt) -> Iterator[ast.stmt]:
    """Yield the statement and the statements inside it that bind names in the same scope."""
    waiting: list[ast.AST] = [] if is_main_guard(node) else [node]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.stmt):
            yield inner
        if not isinstance(inner, (*DEFINITIONS, ast.expr)):
            waiting.extend(ast.iter_child_nodes(inner))


def _defines(node: ast.stmt, names: Collection[str], around: Functions) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name in names and any(can_end(inner) for inner in node.body)
    if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id in names for one in node.targets):
        return _is_function(node.value, around)
    return False


def _is_function(value: ast.expr, around: Functions) -> bool:
    """Return whether an expression is a function: a lambda, a function's name, or a call that receives a function."""
    if isinstance(value, ast.Lambda):
        return True
    if not around.own.isdisjoint(names_in(value)):
        return isinstance(value, ast.Name | ast.Attribute | ast.Call)
    if isinstance(value, ast.Call):
        return dotted_name(value) in _PARTIAL or any(isinstance(inner, ast.Lambda) for inner in ast.walk(value))
    if isinstance(value, ast.Name):
        return value.id in around.imported or callable(getattr(builtins, value.id, None))
    return isinstance(value, ast.Attribute) and base_name(value) in around.imported
