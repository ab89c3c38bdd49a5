"""Of the statements in a response, choose those that its program needs. Nothing is executed.

A program needs the statements that bind a needed name, and what these read in turn. It also needs what can change a
needed value as it runs: an assignment to an item or an attribute of it, a call of a method of it, a call that is given
it, a call of a helper that reads it; and likewise of its parts, in a loop or another compound statement that reads it.

Usage is left out: assertions, prints, `if __name__ == "__main__"`, and what reads input, ends the program or calls a
tested function, be it through a helper. Of usage, only plain assignments that bind or change a needed value stay.
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
"""Functions of `sys` that change how every program runs."""
_HARMLESS = {*vars(builtins)} - {"next", "exec"}


def program(sources: Sequence[Sequence[Statement]], roots: Iterable[str], tested: Collection[str]) -> str:
    """Join the statements that the names `roots` need, and the last source's `from ... import *`.

    Of the names that several sources bind, the last source's count. `tested` are the functions whose calls are usage.
    """
    everything: list[Statement] = []
    bound: set[str] = set()
    outdated: set[Statement] = set()
    for source in reversed(sources):
        own = [statement for statement in source if not statement.binds or not statement.binds <= bound]
        # They would change what the later source has yet to bind.
        outdated.update(statement for statement in own if statement.reads & bound)
        everything[:0] = own
        bound.update(*(statement.binds for statement in source))
    selection = _Selection(everything, outdated, tested)
    selection.need(roots, len(everything))
    kept = selection.kept({statement for statement in sources[-1] if statement.brings_unnamed})
    return "\n\n".join(statement.source for statement in sorted(kept, key=lambda kept: not kept.is_first)) + "\n"


class _Selection:
    """Statements in their order, and which names are needed of them."""

    def __init__(
        self, everything: Sequence[Statement], outdated: Collection[Statement], tested: Collection[str]
    ) -> None:
        self.everything, self.outdated = everything, outdated
        self.tested = {*tested}
        # How many statements, from the first on, count for a name: what runs at once needs only those before it.
        self.needed: dict[str, int] = {}
        self.binders: dict[str, list[Statement]] = {}
        for statement in everything:
            for name in statement.binds:
                self.binders.setdefault(name, []).append(statement)
        self.reached = {statement: self._reach(statement.reads_at_once) for statement in everything}

    def need(self, names: Iterable[str], before: int) -> None:
        for name in names:
            self.needed[name] = max(before, self.needed.get(name, 0))

    def kept(self, first: Collection[Statement]) -> list[Statement]:
        """Return `first`, the statements that the needed names ask for, and those that these ask for in turn."""
        waiting = dict(enumerate(self.everything))
        found: set[int] = set()
        while chosen := [place for place, one in waiting.items() if one in first or self._is_wanted(one, place)]:
            found.update(chosen)
            for place in chosen:
                statement = waiting.pop(place)
                self.need(statement.reads_at_once, place)
                self.need(statement.reads - statement.reads_at_once, len(self.everything))
                if isinstance(statement.node, _IMPORTS):
                    self.need(statement.binds, len(self.everything))  # getcontext, beside Decimal
        return [self.everything[place] for place in sorted(found)]

    def _is_wanted(self, statement: Statement, place: int) -> bool:
        node = statement.node
        if isinstance(node, ast.Assert) or is_main_guard(node):
            return False
        near = statement.binds | statement.reads | self.reached[statement]
        needed = {name for name in near if place < self.needed.get(name, 0)}
        if statement.binds & needed:
            defines = isinstance(node, (*_ASSIGNMENTS, *DEFINITIONS)) or statement.binds & self.tested
            return bool(defines) or not self._is_usage(statement)
        return statement not in self.outdated and self._can_change(statement, needed)

    def _can_change(self, statement: Statement, needed: set[str]) -> bool:
        """Say whether the statement, as it runs, can change the value of a needed name."""
        node = statement.node
        if isinstance(node, _ASSIGNMENTS) and statement.changed & needed:
            return True
        prints = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_print(node.value)
        if prints or self._is_usage(statement):
            return False
        values = {name for name in needed if self._is_value(name)}
        if not isinstance(node, (*_ASSIGNMENTS, ast.Expr)) and statement.reads_at_once & values:
            values |= statement.binds  # a loop's variable stands for one part after the other
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
        """Say whether a name may stand for something else than a function, a class, a module or a built-in."""
        if name not in self.binders:
            return not hasattr(builtins, name)
        return not all(isinstance(binder.node, (*DEFINITIONS, *_IMPORTS)) for binder in self.binders[name])

    def _reach(self, names: Iterable[str]) -> set[str]:
        """Return what the functions and classes of these names read, and the ones that those name in turn."""
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
