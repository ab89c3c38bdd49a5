"""Extract the program of a response to HumanEval or MBPP: extraction version 3.

The text ends at the first end token, and nothing is executed. The code is searched in these places, in order. The first
place that contains the function decides.

1. Completion style only: the text continues the prompt's function. The body ends at a fence, or at the first line at
   column 0 that is no comment; the paper's stop words are such lines. MBPP as a chat: the text before the first fence,
   which closes the fence that the prompt opened.
2. Fenced blocks of any language: the last that defines the function. A block without a closing fence comes last.
3. The whole text, with prose around the code or without. Quotes around an MBPP text do not count.
4. Indented blocks of Markdown: the last that defines the function.
5. HumanEval only: a fenced block, then the text, with the function's body but without its signature.

The function and its code:

- A `def` defines the function if it returns, yields or raises. An assignment also does: of a lambda, of a function that
  the code defines or imports (`NAME = other`, `NAME = math.gcd`, `NAME = Solution().method`), or of a call with one as
  argument (`NAME = partial(other, 2)`). The definition may be inside `if`, `try`, `with` or a loop. Stubs, methods and
  coroutines do not count. Of several definitions in one place, the last counts, as in Python.
- Code counts up to the first line that does not parse. Whole statements have priority over one with lines cut off.
- The first line of a body, or all lines, may lack indentation. The version that gives the function more statements
  counts. A body without any indentation ends with its last `return`, `yield` or `raise`.
- The program contains the function and the statements that it needs (`programs.py`): imports, definitions, assignments,
  and statements that change a value which it reads (a loop that fills a table, `MEMO[0] = 1`, `init()`,
  `sys.setrecursionlimit`). They come from its own block, then from other blocks, then from the prompt. The prompt's
  imports and helpers always stay. Example calls, prints, asserts, `input()` and `if __name__ == "__main__"` are
  dropped. No import is added.
- MBPP: the functions are those that the asserts call. All definitions of the block stay. In base style the text ends at
  `[DONE]`, and `[BEGIN]` splits it into separate passages.
- A response of more than 5,000 lines or 250,000 characters gives no program.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import dropwhile

from ssd.tasks.extraction.functions import Functions, can_end, defines, is_stub
from ssd.tasks.extraction.programs import program
from ssd.tasks.extraction.responses import fenced_blocks, indented_blocks, own_text
from ssd.tasks.extraction.statements import DEFINITIONS, Statement, parses, statements, with_spaces

_QUOTED = re.compile(r"\s*(\"\"\"|'''|[\"'])(.+)\1\s*", re.DOTALL)

Sources = list[list[Statement]]
"""Statements by origin. Definitions of a later source replace those of an earlier one."""


def humaneval_program(text: str, prompt: str, entry_point: str, chat: bool) -> str | None:
    """Return the program of a response to HumanEval's prompt, or None if it does not define `entry_point`."""
    own = own_text(text)
    given = [statement for statement in statements(prompt) if entry_point not in statement.binds]
    sources = next(_humaneval_sources(own, prompt, entry_point, chat), None)
    if sources is None:
        return None
    roots = {entry_point}.union(*(statement.binds for statement in given))
    return program([given, *sources], roots, {entry_point})


def mbpp_program(text: str, test_list: Sequence[str], chat: bool) -> str | None:
    """Return the program of a response to an MBPP task, or None if it defines no function that the tests call."""
    own = own_text(text)
    passages = [_unquoted(passage) for passage in ([own] if chat else own.partition("[DONE]")[0].split("[BEGIN]"))]
    places: list[tuple[list[str], list[str]]] = [
        *((fenced_blocks(passage), []) for passage in passages),
        (passages, []),
        *((indented_blocks(passage), []) for passage in passages),
    ]
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
    yield from _defined(indented_blocks(text), [], {entry_point})
    yield from _completed([*blocks, unfenced], prompt, entry_point)


def _defined(codes: Sequence[str], beside: Sequence[str], names: Collection[str]) -> Iterator[Sources]:
    """Yield sources for each code that defines one of the functions: the others and `beside` first, its own last."""
    read = [statements(code) for code in (*codes, *beside)]
    around = Functions([statement for chosen in read for statement in chosen])
    for place, chosen in enumerate(read[: len(codes)]):
        if any(defines(statement, names, around) for statement in chosen):
            others = [other for index, other in enumerate(read) if index != place]
            yield [*reversed(others), [statement for statement in chosen if not is_stub(statement, names)]]


def _unquoted(passage: str) -> str:
    """Return the content of a passage that is one string, as some models write MBPP's programs."""
    quoted = _QUOTED.fullmatch(passage)
    # A program that begins with a docstring may end with a quote too.
    if quoted is None or (quoted[1] in quoted[2] and parses(passage.strip())):
        return passage
    return quoted[2]


def _completed(bodies: Sequence[str], prompt: str, entry_point: str) -> Iterator[Sources]:
    """Yield the prompt's function for each text that can be its body."""
    for text in bodies:
        functions = []
        for body in _indented(text, prompt):
            defined = [one for one in statements(f"{prompt.rstrip()}\n{body}") if entry_point in one.binds]
            functions += [one for one in defined[:1] if defines(one, {entry_point}, Functions([]))]
        if functions:
            yield [[max(functions, key=_size)]]


def _indented(text: str, prompt: str) -> Iterator[str]:
    """Yield the possible indentations of the text as the body of the prompt's function."""
    lines = list(dropwhile(lambda line: not line.strip(), with_spaces(text).split("\n")))
    last = with_spaces(prompt).rstrip().rpartition("\n")[2]
    # The last line of the docstring has the indentation of the body.
    indent = last[: len(last) - len(last.lstrip())] or " " * 4
    if lines:
        yield "\n".join([indent + lines[0].lstrip(), *lines[1:]])
    found = statements("\n".join(lines))
    while found and not can_end(found[-1].node):
        found.pop()
    yield textwrap.indent("\n".join(statement.source for statement in found), indent)


def _size(statement: Statement) -> int:
    return sum(isinstance(inner, ast.stmt) for inner in ast.walk(statement.node))
