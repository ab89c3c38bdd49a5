"""Analyse what a statement assigns and calls when it runs. The bodies of functions do not count."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SETTERS = {"setattr", "delattr"}


def calls(node: ast.stmt) -> list[ast.Call]:
    """Return the calls that the statement makes, including the calls of its decorators."""
    found = [inner for inner in _at_once(node) if isinstance(inner, ast.Call)]
    return found + [
        ast.Call(decorator, [], []) for inner in _at_once(node) for decorator in getattr(inner, "decorator_list", [])
    ]


def changed(node: ast.stmt) -> set[str]:
    """Return the names whose items or attributes the statement assigns to or deletes."""
    parts: list[ast.expr] = [
        inner
        for inner in _at_once(node)
        if isinstance(inner, ast.Attribute | ast.Subscript) and not isinstance(inner.ctx, ast.Load)
    ]
    parts += [call.args[0] for call in calls(node) if dotted_name(call) in _SETTERS and call.args]
    return {name for part in parts if (name := base_name(part))}


def base_name(node: ast.AST) -> str | None:
    """Return the first name of an item, an attribute or a call: `a` of `a.b[0]()`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def dotted_name(call: ast.Call) -> str:
    """Return the name of the called function, `a.b` of `a.b(c)`, or an empty text without one."""
    parts: list[str] = []
    node = call.func
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def names_in(*nodes: ast.AST) -> set[str]:
    """Return all names inside the nodes."""
    return {inner.id for node in nodes for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def handed_on(call: ast.Call) -> set[str]:
    """Return the names that are called or passed to the call as a whole, not through an attribute."""
    found: set[str] = set()
    waiting: list[ast.AST] = [] if dotted_name(call) in _SETTERS else [call]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def is_main_guard(node: ast.stmt) -> bool:
    """Return whether the statement is `if __name__ == "__main__"`."""
    return isinstance(node, ast.If) and "__name__" in names_in(node.test)


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the node and its parts that are evaluated when it runs."""
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        yield inner
        if isinstance(inner, _FUNCTIONS):
            waiting.extend([*inner.decorator_list, inner.args])
        elif not isinstance(inner, ast.Lambda):
            waiting.extend(ast.iter_child_nodes(inner))
