r"""Find and compare the answers of competition problems (MATH): extraction version 3.

These rules apply in order to a response before its first end token. The first rule that finds an answer decides.

1. Boxed: the last `\boxed{...}` or `\fbox{...}` that is closed and not empty; the innermost of nested ones.
2. Stated (`sentences.py`): what follows the last `answer is`, `answer:`, `answer must be`, heading `Answer`, tag
   `<answer>`, or `####` on the last line. Words as `therefore` before it do not count. A formula there is the answer,
   with those that `and`, `or` or a comma joins to it. Without a formula, the answer ends with its sentence, at words
   after mathematics (`72, since ...`, `72 (seventy-two)`), and at a reason (`even because ...`).
3. Formula: the last of `$...$`, `$$...$$`, `\(...\)`, `\[...\]`.
4. Number: the last one, with its decimals, denominator or percent sign.

Two answers are the same if their texts are, or if math_verify finds the same value in both. It compares sets and lists
in any order, intervals with inequalities, matrices, and `x = 5` with `5`. Fractions, roots and powers are compared
exactly. A decimal is equal at six places after the point, and at six digits after the zeros of a number below 0.1.

Before that, both answers get one notation (`notation.py`). Bold, colour, size, and an introduction (`The answer is`,
`\text{Area: }`) do not count. Unicode's roots, superscripts, fractions and dashes are read as LaTeX. Only the number of
a quantity counts (`quantities.py`). Ignored are percent and degree signs, currency, separators of thousands (`1,234`,
`x = 1,234`, `1\,234`, `1\ 234`, `1~234`), the ending of an ordinal (`12^{\text{th}}`) and units. A unit is a text
(`5~\text{cm}`), `percent`, or a word that Minerva's normalisation removes (`5 dollars`; arXiv 2206.14858, appendix D).
`5 million` is 5000000. The base of a numeral counts if both answers have one, as `4343_6`, `(4343)_6` or
`4343_{\text{six}}`. Of words (`\text{Evelyn}`) only the letters count, in either case. A comparison of more than 20
seconds, or of more than 1,000 characters, counts as different.
"""

from __future__ import annotations

import os
import re
from functools import cache

from ssd.tasks.extraction.comparison import Comparison
from ssd.tasks.extraction.notation import normal, words
from ssd.tasks.extraction.quantities import numeral
from ssd.tasks.extraction.responses import own_text
from ssd.tasks.extraction.sentences import last_formula, last_statement

_COMPARISON_LIMIT_S = 20.0
_MOST_CHARACTERS = 1000

_BRACE = re.compile(r"\\(?:boxed|fbox)\s*(?P<box>\{)|\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])-?(?:\d+(?:,\d{3})*(?:\.\d+)?|\.\d+)(?:/\d+)?(?:\s?\\?%)?", re.ASCII)
_NO_LETTERS = re.compile(r"\\[A-Za-z]+|[^A-Za-z]+")


def extract_answer(text: str) -> str | None:
    """Return the answer of a response, in the response's notation, or None."""
    own = own_text(text)
    return _last_box(own) or last_statement(own) or last_formula(own) or _last_number(own)


def same_answer(answer: str, target: str) -> bool:
    """Return whether two answers have the same text or the same value."""
    if answer == target:
        return True
    if max(len(answer), len(target)) > _MOST_CHARACTERS:
        return False
    left, right = normal(answer), normal(target)
    if left == right:
        return True
    numerals = numeral(left), numeral(right)
    # math_verify ignores the base, and interprets plain words as products of letters.
    if numerals[0] and numerals[1]:
        return numerals[0] == numerals[1]
    if words(left) is not None or words(right) is not None:
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


def _last_number(text: str) -> str | None:
    found = [*_NUMBER.finditer(text)]
    return found[-1][0] if found else None


@cache
def _comparison(process_id: int) -> Comparison:
    """Return the comparison of this process. A fork must not share its parent's: their verdicts would mix."""
    return Comparison(_COMPARISON_LIMIT_S)
