"""Select the statements of a response that its program needs. Nothing is executed.

A program needs the statements that bind a needed name, and the names that these statements read. It also needs
statements that can change a needed value when they run. These are assignments to its items or attributes, calls of its
methods, calls that receive it, and calls of helpers that read it. A loop over the value can change its parts.

Usage is left out: assertions, prints and `if __name__ == "__main__"`. Calls that read input, end the program or reach a
tested function are usage too. Of usage, only plain assignments that bind or change a needed value stay.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Sequence

from ssd.tasks.extraction.effects import base_name, dotted_name, handed_on, is_main_guard, names_in
from ssd.tasks.extraction.statements import DEFINITIONS, Statement

_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Delete)
_IMPORTS = (ast.Import, ast.ImportFrom)
_USAGE = {"input", "exit", "quit"}
_USAGE_OF_SYS = ("sys.exit", "sys.stdin.")
_OUTPUTS = ("sys.stdout.", "sys.stderr.")
_SETTINGS = ("setrecursionlimit", "set_int_max_str_digits")
"""Functions of `sys` that change how a program runs."""
_HARMLESS = {*vars(builtins)} - {"next", "exec"}


def program(sources: Sequence[Sequence[Statement]], roots: Iterable[str], tested: Collection[str]) -> str:
    """Return a program of the statements that the names `roots` need, and of the last source's `from ... import *`.

    If several sources bind a name, the last source counts. Calls of the functions `tested` are usage.
    """
    everything: list[Statement] = []
    bound: set[str] = set()
    outdated: set[Statement] = set()
    for source in reversed(sources):
        own = [statement for statement in source if not statement.binds or not statement.binds <= bound]
        # They would change names that the later source binds.
        outdated.update(statement for statement in own if statement.reads & bound)
        everything[:0] = own
        bound.update(*(statement.binds for statement in source))
    selection = _Selection(everything, outdated, tested)
    selection.need(roots, len(everything))
    kept = selection.kept({statement for statement in sources[-1] if statement.brings_unnamed})
    return "\n\n".join(statement.source for statement in sorted(kept, key=lambda kept: not kept.is_first)) + "\n"


class _Selection:
    """Ordered statements, and the names that are needed from them."""

    def __init__(
        self, everything: Sequence[Statement], outdated: Collection[Statement], tested: Collection[str]
    ) -> None:
        self.everything, self.outdated = everything, outdated
        self.tested = {*tested}
        # For each name, the number of leading statements that may bind it. A running statement needs only earlier ones.
        self.needed: dict[str, int] = {}
        self.binders: dict[str, list[Statement]] = {}
        for statement in everything:
            for name in statement.binds:
                self.binders.setdefault(name, []).append(statement)
        self.reached = {statement: self._reach(statement.reads_at_once) for statement in everything}
        self.changed: set[str] = set()
        # For each name, the places of the statements that bind, read or reach it.
        self.near: dict[str, list[int]] = {}
        for place, statement in enumerate(everything):
            for name in self._near(statement):
                self.near.setdefault(name, []).append(place)

    def need(self, names: Iterable[str], before: int) -> None:
        for name in names:
            if before > self.needed.get(name, 0):
                self.needed[name] = before
                self.changed.add(name)

    def kept(self, first: Collection[Statement]) -> list[Statement]:
        """Return the statements in `first`, those that bind or change needed names, and those that they need."""
        waiting = dict(enumerate(self.everything))
        asked: Iterable[int] = list(waiting)
        found: set[int] = set()
        while chosen := [place for place in asked if waiting[place] in first or self._is_wanted(waiting[place], place)]:
            self.changed.clear()
            found.update(chosen)
            for place in chosen:
                statement = waiting.pop(place)
                self.need(statement.reads_at_once, place)
                self.need(statement.reads - statement.reads_at_once, len(self.everything))
                if isinstance(statement.node, _IMPORTS):
                    self.need(statement.binds, len(self.everything))  # getcontext, beside Decimal
            # The answer of other statements has not changed.
            near = {place for name in self.changed for place in self.near.get(name, ())}
            asked = sorted(near & waiting.keys())
        return [self.everything[place] for place in sorted(found)]

    def _is_wanted(self, statement: Statement, place: int) -> bool:
        node = statement.node
        if isinstance(node, ast.Assert) or is_main_guard(node):
            return False
        needed = {name for name in self._near(statement) if place < self.needed.get(name, 0)}
        if statement.binds & needed:
            defines = isinstance(node, (*_ASSIGNMENTS, *DEFINITIONS)) or statement.binds & self.tested
            return bool(defines) or not self._is_usage(statement)
        return statement not in self.outdated and self._can_change(statement, needed)

    def _near(self, statement: Statement) -> frozenset[str]:
        return statement.binds | statement.reads | self.reached[statement]

    def _can_change(self, statement: Statement, needed: set[str]) -> bool:
        """Return whether the statement can change the value of a needed name when it runs."""
        node = statement.node
        if isinstance(node, _ASSIGNMENTS) and statement.changed & needed:
            return True
        prints = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_print(node.value)
        if prints or self._is_usage(statement):
            return False
        values = {name for name in needed if self._is_value(name)}
        if not isinstance(node, (*_ASSIGNMENTS, ast.Expr)) and statement.reads_at_once & values:
            values |= statement.binds  # the loop variable is each part of the value in turn
        owners = values | needed if isinstance(node, ast.Expr) else values
        return bool(statement.changed & (needed | values)) or any(
            self._call_can_change(call, values, owners) for call in statement.calls
        )

    def _call_can_change(self, call: ast.Call, values: set[str], owners: set[str]) -> bool:
        name = dotted_name(call)
        if name.endswith(_SETTINGS) or (isinstance(call.func, ast.Attribute) and base_name(call.func) in owners):
            return True
        if name in _HARMLESS or _is_print(call):
            return False
        given = names_in(*call.args, *call.keywords)
        return not values.isdisjoint(given | self._reach(names_in(call.func)))

    def _is_usage(self, statement: Statement) -> bool:
        handed = set().union(*(handed_on(call) for call in statement.calls))
        return not (self.tested | _USAGE).isdisjoint(handed | self._reach(handed)) or any(
            dotted_name(call).startswith(_USAGE_OF_SYS) for call in statement.calls
        )

    def _is_value(self, name: str) -> bool:
        """Return whether a name may be a value, and not a function, a class, a module or a built-in."""
        if name not in self.binders:
            return not hasattr(builtins, name)
        return not all(isinstance(binder.node, (*DEFINITIONS, *_IMPORTS)) for binder in self.binders[name])

    def _reach(self, names: Iterable[str]) -> set[str]:
        """Return the names that the functions and classes with these names read, directly or through others."""
        reached: set[str] = set()
        waiting = [*names]
        while waiting:
            for binder in self.binders.get(waiting.pop(), []):
                if isinstance(binder.node, DEFINITIONS) or binder.is_lambda:
                    waiting.extend(binder.reads - reached)
                    reached |= binder.reads
        return reached


def _is_print(call: ast.Call) -> bool:
    name = dotted_name(call)
    return name == "print" or name.startswith(_OUTPUTS)
