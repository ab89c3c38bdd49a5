"""Find the Python statements in a text, with the names that each binds and reads. Nothing is executed."""

from __future__ import annotations

import ast
import re
import symtable
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ssd.tasks.extraction import effects

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

# Code can begin after prose with a definition, a decorator or an import, at column 0.
_BEGINNING = re.compile(r"@|(?:async def|def|class|from|import)\b")
_MOST_CUTS = 20
_COMPREHENSIONS = {"listcomp", "setcomp", "dictcomp", "genexpr"}  # symtable's names of their scopes
# The parser's errors for: wrong syntax; null bytes or lone surrogates; deep nesting; very deep nesting.
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, eq=False)
class Statement:
    """A top-level statement, with the module's names that it binds and reads."""

    node: ast.stmt
    source: str
    binds: frozenset[str]
    reads: frozenset[str]
    reads_at_once: frozenset[str]
    """Names that are read when the statement runs, not later when its functions are called."""

    @cached_property
    def calls(self) -> list[ast.Call]:
        return effects.calls(self.node)

    @cached_property
    def changed(self) -> set[str]:
        return effects.changed(self.node)

    @property
    def is_lambda(self) -> bool:
        return isinstance(self.node, ast.Assign) and isinstance(self.node.value, ast.Lambda)

    @property
    def is_first(self) -> bool:
        return isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"

    @property
    def brings_unnamed(self) -> bool:
        return self.is_first or (isinstance(self.node, ast.ImportFrom) and self.node.names[0].name == "*")


def statements(text: str) -> list[Statement]:
    """Return the top-level statements of a text, or of its passages if the whole text is no Python.

    A passage begins with the text, a definition or an import, and ends before the first line that does not parse. A
    statement with lines cut off counts only if no whole statement binds its names.
    """
    code = re.sub(r"\A\s*\n", "", text)
    if code[:1].isspace():
        code = textwrap.dedent(code).lstrip()
    spaced = with_spaces(code)
    with warnings.catch_warnings(action="ignore"):  # warnings about the response's style
        for whole in (code, spaced):
            if _error_line(whole) is None:
                return _statements(whole)
        found: list[Statement] = []
        cut: set[Statement] = set()
        for lines in _passages(spaced):
            beginning, is_cut = _longest_beginning(lines)
            found += _statements(beginning)
            cut.update(found[-1:] if is_cut else [])
    whole_names = {name for statement in found if statement not in cut for name in statement.binds}
    return [statement for statement in found if statement not in cut or not statement.binds <= whole_names]


def parses(code: str) -> bool:
    """Return whether Python can parse the code."""
    with warnings.catch_warnings(action="ignore"):
        return _error_line(code) is None


def with_spaces(code: str) -> str:
    """Return the code with each tab of an indentation replaced by up to four spaces."""
    return re.sub(r"^[ \t]+", lambda match: match[0].expandtabs(4), code, flags=re.MULTILINE)


def _error_line(code: str) -> int | None:
    """Return the first line, from 1, that Python cannot parse, or None if it parses everything."""
    try:
        ast.parse(code)
    except _UNREADABLE as error:
        return (error.lineno if isinstance(error, SyntaxError) else None) or 1
    return None


def _passages(code: str) -> Iterator[list[str]]:
    """Yield the lines of each passage; a new one begins where code can begin."""
    lines = code.split("\n")
    start = 0
    for place in range(1, len(lines)):
        if _BEGINNING.match(lines[place]) and not lines[place - 1].startswith("@"):
            yield lines[start:place]
            start = place
    yield lines[start:]


def _longest_beginning(lines: Sequence[str]) -> tuple[str, bool]:
    """Return the lines before the first that does not parse, and whether that line continues their last statement."""
    end = max((place for place, line in enumerate(lines, start=1) if line.strip()), default=0)
    for _ in range(_MOST_CUTS):
        error_line = _error_line("\n".join(lines[:end]))
        if error_line is None:
            return "\n".join(lines[:end]), end < len(lines) and lines[end][:1].isspace()
        # An error at the end of the text may have the number of the next line.
        end = min(error_line, end) - 1
    return "", False


def _statements(code: str) -> list[Statement]:
    lines = code.encode().split(b"\n")
    found = []
    for node in ast.parse(code).body:
        source = _source(lines, node)
        try:
            module = symtable.symtable(source, "<response>", "exec")
        except _UNREADABLE:
            continue  # it parses but breaks a rule: two parameters with one name, for example
        binds = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_assigned() or symbol.is_imported()}
        at_once = {symbol.get_name() for symbol in module.get_symbols() if symbol.is_referenced()}
        later: set[str] = set()
        inner = [(table, at_once) for table in module.get_children()]
        while inner:
            table, outer = inner.pop()
            reads = later if table.get_type() == "function" and table.get_name() not in _COMPREHENSIONS else outer
            reads.update(symbol.get_name() for symbol in table.get_symbols() if symbol.is_global())
            inner.extend((child, reads) for child in table.get_children())
        found.append(Statement(node, source, frozenset(binds), frozenset(at_once | later), frozenset(at_once)))
    return found


def _source(lines: Sequence[bytes], node: ast.stmt) -> str:
    # Columns count bytes. The line number of a definition is below its decorators.
    decorators = getattr(node, "decorator_list", [])
    own = list(lines[min(part.lineno for part in (node, *decorators)) - 1 : node.end_lineno])
    own[-1] = own[-1][: node.end_col_offset]
    own[0] = own[0][node.col_offset :]
    return b"\n".join(own).decode()
