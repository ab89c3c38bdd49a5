"""Make a program of a response to HumanEval or MBPP: extraction version 2.

The text ends at the first end-of-text token; nothing of it is executed. Its code is looked for in these places, in
order; the first that holds the function decides.

1. Completion style only: the text continues the prompt's function. The body ends where Python leaves the function or a
   fence stands, so what follows is cut: the paper's stop words, and every other line at column 0 that is no comment.
   MBPP as a chat: the text before the first fence, which closes the one that the prompt has opened.
2. Fenced blocks, of any language: the last that defines the function. One that is never closed counts if no other does.
3. The whole text, with prose around the code or without.
4. HumanEval only: a fenced block, then the text, that holds the function's body without its signature.

What counts as the function and as its code:

- The function is defined by a `def` that returns, yields or raises; or by an assignment of a lambda, of a function that
  the code defines or imports (`NAME = other`, `NAME = math.gcd`, `NAME = Solution().method`), or of what a call makes
  of one (`NAME = partial(other, 2)`). It may stand inside `if`, `try`, `with` or a loop. A stub, a method or a
  coroutine is none. Where a place defines it more than once, Python's rule holds: the last one.
- Code that stops parsing counts up to there, in whole lines; whole statements go before one that had to be cut.
- A body may have lost the indentation of its first line, or all of it; the reading that gives the function more
  statements counts. A body without any indentation ends with its last `return`, `yield` or `raise`.
- The program holds the function and what it needs: the imports, definitions and assignments of what it reads, and what
  changes that as it runs (a loop that fills a table, `MEMO[0] = 1`, `init()`, `sys.setrecursionlimit`), from its own
  block, then from other blocks, then from the prompt, whose imports and helpers always stay. Hence example calls,
  prints, asserts, `input()` and `if __name__ == "__main__"` are dropped (`programs.py`). No import is invented.
- MBPP: the functions are the ones that the asserts call. All definitions of the block stay. In base style the text
  counts up to `[DONE]`, and what stands before `[BEGIN]` apart from what follows it.
"""

from __future__ import annotations

import ast
import builtins
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import dropwhile

from ssd.tasks.extraction.functions import can_end, defines, is_stub
from ssd.tasks.extraction.programs import program
from ssd.tasks.extraction.responses import fenced_blocks, own_text
from ssd.tasks.extraction.statements import DEFINITIONS, Statement, statements, with_spaces

Sources = list[list[Statement]]
"""Statements by where they come from; what a later source defines goes before what an earlier one does."""


def humaneval_program(text: str, prompt: str, entry_point: str, chat: bool) -> str | None:
    """Return the program that a response gives for HumanEval's prompt, or None where it defines no `entry_point`."""
    own = own_text(text)
    given = [statement for statement in statements(prompt) if entry_point not in statement.binds]
    sources = next(_humaneval_sources(own, prompt, entry_point, chat), None)
    if sources is None:
        return None
    roots = {entry_point}.union(*(statement.binds for statement in given))
    return program([given, *sources], roots, {entry_point})


def mbpp_program(text: str, test_list: Sequence[str], chat: bool) -> str | None:
    """Return the program that a response to an MBPP task gives, or None where it defines nothing that tests call."""
    own = own_text(text)
    passages = [own] if chat else own.partition("[DONE]")[0].split("[BEGIN]")
    places = [*((fenced_blocks(passage), []) for passage in passages), (passages, [])]
    if chat:
        opened, _, rest = own.partition("```")
        places.insert(0, ([opened], fenced_blocks(rest)))
    tests = statements("\n".join(test_list))
    called = {
        call.func.id
        for test in tests
        for call in ast.walk(test.node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    # A task may ask for a function with a built-in's name.
    names = {name for name in called if not hasattr(builtins, name)} or called
    sources = next((found for place in places for found in _defined(*place, names)), None)
    if sources is None:
        return None
    definitions = [statement for statement in sources[-1] if isinstance(statement.node, DEFINITIONS)]
    roots = (*(statement.binds for statement in definitions), *(test.reads for test in tests))
    return program(sources, set().union(*roots), names)


def _humaneval_sources(text: str, prompt: str, entry_point: str, chat: bool) -> Iterator[Sources]:
    unfenced = text.partition("```")[0]
    blocks = fenced_blocks(text)
    if not chat:
        yield from _completed([unfenced], prompt, entry_point)
    yield from _defined(blocks, [], {entry_point})
    yield from _defined([text], [], {entry_point})
    yield from _completed([*blocks, unfenced], prompt, entry_point)


def _defined(codes: Sequence[str], beside: Sequence[str], names: Collection[str]) -> Iterator[Sources]:
    """Yield, for each code that defines one of the functions, the others' statements, `beside` too, then its own."""
    read = [statements(code) for code in (*codes, *beside)]
    everything = [statement for chosen in read for statement in chosen]
    for place, chosen in enumerate(read[: len(codes)]):
        if any(defines(statement, names, everything) for statement in chosen):
            others = [other for index, other in enumerate(read) if index != place]
            yield [*reversed(others), [statement for statement in chosen if not is_stub(statement, names)]]


def _completed(bodies: Sequence[str], prompt: str, entry_point: str) -> Iterator[Sources]:
    """Yield the prompt's function, for each text that can be its body."""
    for text in bodies:
        functions = []
        for body in _indented(text, prompt):
            defined = [one for one in statements(f"{prompt.rstrip()}\n{body}") if entry_point in one.binds]
            functions += [one for one in defined[:1] if defines(one, {entry_point}, [])]
        if functions:
            yield [[max(functions, key=_size)]]


def _indented(text: str, prompt: str) -> Iterator[str]:
    """Yield the ways in which the text can be indented as the body of the prompt's function."""
    lines = list(dropwhile(lambda line: not line.strip(), with_spaces(text).split("\n")))
    last = with_spaces(prompt).rstrip().rpartition("\n")[2]
    # A docstring's last line stands where the body does.
    indent = last[: len(last) - len(last.lstrip())] or " " * 4
    if lines:
        yield "\n".join([indent + lines[0].lstrip(), *lines[1:]])
    found = statements("\n".join(lines))
    while found and not can_end(found[-1].node):
        found.pop()
    yield textwrap.indent("\n".join(statement.source for statement in found), indent)


def _size(statement: Statement) -> int:
    return sum(isinstance(inner, ast.stmt) for inner in ast.walk(statement.node))
