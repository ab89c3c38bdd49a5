r"""Find and compare the answers of competition problems (MATH): extraction version 2.

These rules apply in order to a response before its first end token. The first rule that finds an answer decides.

1. Boxed: the last `\boxed{...}` or `\fbox{...}` that is closed and not empty; the innermost of nested ones.
2. Stated: the rest of the sentence or line after the last `answer is` or `answer:`; its first formula, if it has one.
   A number before words counts without them (`5 because ...`).
3. Formula: the last of `$...$`, `$$...$$`, `\(...\)`, `\[...\]`.
4. Number: the last one, with its decimals, denominator or percent sign.

Two answers are the same if their texts are, or if math_verify finds the same value in both. It compares sets and lists
in any order, intervals with inequalities, matrices, `x = 5` with `5`, and decimals to six places.

Only the number of a quantity counts. Ignored are percent and degree signs, currency, separators of thousands (`1,234`,
`1\,234`, `1\ 234`, `1~234`) and units. A unit is a text (`5~\text{cm}`), `percent`, or a word that Minerva's
normalisation removes (`5 dollars`; arXiv 2206.14858, appendix D). The base of a numeral counts if both answers have
one, as `4343_6` or `4343_{\text{six}}`. Of words (`\text{Evelyn}`) only the letters count, in either case. A comparison
of more than 20 seconds counts as different.
"""

from __future__ import annotations

import os
import re
from functools import cache

from ssd.tasks.extraction.comparison import Comparison
from ssd.tasks.extraction.responses import own_text

_COMPARISON_LIMIT_S = 20.0

_BRACE = re.compile(r"\\(?:boxed|fbox)\s*(?P<box>\{)|\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL)
_STATED = re.compile(r"\banswer(?:\s+is\b:?|\**:)", re.IGNORECASE)
_CLAUSE = re.compile(r"[\s*]*([^\n]*?)(?:(?<!\\)[.!?](?:\s|$)|$)", re.MULTILINE)
_FORMULA = re.compile(
    r"\$\$((?:(?!\$\$).)+)\$\$|\\\[((?:(?!\\\[).)+?)\\\]|\\\(((?:(?!\\\().)+?)\\\)"
    # No space at the inner ends and no digit after: this excludes two prices.
    r"|(?<![\\$])\$(?![\s$])((?:[^$\\]|\\.)+?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)
_NUMBER = re.compile(r"(?<![\w.])-?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:/\d+)?(?:\s?\\?%)?", re.ASCII)
_WORDS = re.compile(r"\s+(?!and\b|or\b)[A-Za-z]{2}")

_SIGNS = re.compile(r"\\?%|\^\\circ|\^\{\\circ\}|°")
_TEXT = re.compile(r"\\(?:text|textbf|mbox|mathrm)\{([^{}]*)\}")
_SPACE = r"(?:\\[,:;> ]|~|\{,\}|,?\\!|\{\\,\})"
_GROUPED = re.compile(rf"(?<![\w.])[0-9]{{1,3}}(?:{_SPACE}[0-9]{{3}})+(?![0-9])")
_NO_DIGITS = re.compile(r"[^0-9]+")
_UNIT = re.compile(
    r"(?<=[0-9})])\s*(?:square\s+)?(?:ways|integers|dollars|mph|inches|ft|hours|km|units|points|feet|minutes|digits|cents"
    r"|degrees|cm|gm|pounds|meters|meals|edges|students|multiples|percent)(?:\^[23]|\^\{[23]\})?\Z"
)
_NO_LETTERS = re.compile(r"\\[A-Za-z]+|[^A-Za-z]+")
_NUMERAL = re.compile(r"([0-9A-Za-z]+)_\{?(?:\\text\{)?([0-9]+|[a-z]+)\}{0,2}")
_BASES = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def extract_answer(text: str) -> str | None:
    """Return the answer of a response, in the response's notation, or None."""
    own = own_text(text)
    return _last_box(own) or _last_statement(own) or _last_formula(own) or _last_number(own)


def same_answer(answer: str, target: str) -> bool:
    """Return whether two answers have the same text or the same value."""
    left, right = _plain(answer), _plain(target)
    if left == right:
        return True
    numerals = _numeral(left), _numeral(right)
    # math_verify ignores the base, and interprets plain words as products of letters.
    if numerals[0] and numerals[1]:
        return numerals[0] == numerals[1]
    if _TEXT.fullmatch(left) or _TEXT.fullmatch(right):
        return _NO_LETTERS.sub("", left).casefold() == _NO_LETTERS.sub("", right).casefold() != ""
    return _comparison(os.getpid()).same(left, right)


def _last_box(text: str) -> str | None:
    # The start of each open brace's content; None for a brace that opens no box.
    opened: list[int | None] = []
    last = (-1, "")
    for match in _BRACE.finditer(text):
        if match["box"] or match["open"]:
            opened.append(match.end() if match["box"] else None)
        elif match["close"] and opened:
            start = opened.pop()
            content = "" if start is None else text[start : match.start()].strip()
            if start is not None and content:
                last = max(last, (start, content))
    return last[1] or None


def _last_statement(text: str) -> str | None:
    for stated in reversed([*_STATED.finditer(text)]):
        clause = _CLAUSE.match(text, stated.end())
        if clause is None or not clause[1]:
            continue
        formula = _FORMULA.search(text, clause.start(1))
        if formula is not None and formula.start() < clause.end():
            return _content(formula)
        number = _NUMBER.match(clause[1])
        if number is not None and _WORDS.match(clause[1], number.end()):
            return number[0]
        return clause[1].rstrip(" \t*")
    return None


def _last_formula(text: str) -> str | None:
    found = [*_FORMULA.finditer(text)]
    return _content(found[-1]) if found else None


def _last_number(text: str) -> str | None:
    found = [*_NUMBER.finditer(text)]
    return found[-1][0] if found else None


def _content(formula: re.Match[str]) -> str:
    return next(group for group in formula.groups() if group is not None).strip()


def _plain(answer: str) -> str:
    """Return an answer without ignored parts, and a number inside a text command without the command."""
    plain = _SIGNS.sub("", answer).strip().removesuffix(".").strip()
    text = _TEXT.fullmatch(plain)
    if text and re.search("[0-9]", text[1]):
        plain = text[1].strip()
    whole = _GROUPED.sub(lambda number: _NO_DIGITS.sub("", number[0]), plain).replace("~", " ")
    return _UNIT.sub("", whole)


def _numeral(plain: str) -> tuple[str, int] | None:
    """Return the digits and the base of a numeral, or None without a base."""
    numeral = _NUMERAL.fullmatch(plain)
    if numeral is None:
        return None
    digits, base = numeral.groups()
    if base in _BASES:
        return digits, _BASES.index(base) + 2
    return (digits, int(base)) if base.isdecimal() else None


@cache
def _comparison(process_id: int) -> Comparison:
    """Return the comparison of this process. A fork must not share its parent's: their verdicts would mix."""
    return Comparison(_COMPARISON_LIMIT_S)
