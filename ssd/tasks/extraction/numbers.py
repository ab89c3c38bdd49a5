r"""Find and compare the numeric answers of word problems: extraction version 3.

These rules apply in order to a response before its first end token. The first rule that finds a number decides.

1. Strict: the first `#### N`, the last line of reference solutions. `#### $1,234`, `#### **18**` and `#### 18 dollars`
   count; a heading (`#### 1. Find the cost`) does not. Of an equation (`#### 10 + 8 = 18`), the last side that is one
   number counts, unless its first side is one. A term without its value (`#### 36/2`, `#### 10:30`) does not count.
2. Boxed: the last `\boxed{...}`, if it contains exactly one number after its last `=`.
3. Flexible: the last number of the text.

A number has ASCII digits. Groups of three may be separated by commas or LaTeX's spaces (`1\,234`, `1\ 234`, `1~234`).
Decimals and an exponent (`1e5`) are optional. A minus belongs to the number unless it follows a word, a digit or a
closing bracket (`20-2` ends in 2). Currency signs, `%` and a final full stop are not part of it. The exponent of a
letter or of a brace is no number (`18 \text{ km}^2`). Fractions, powers and number words are not interpreted: `3/4`
gives 4. A target must be one number as a whole (`whole_number`), so a data set with `#### 3/4` is refused.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, NamedTuple

from ssd.tasks.extraction.responses import own_text

_CURRENCY = r"(?:\\?[$€£] ?)?"
_DIGITS = (
    r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)(?:[eE][+-]?[0-9]{1,2}(?!\w))?"
)
# The atomic group forbids a match that ends inside a number.
_NUMBER = rf"(?>(?:(?P<minus>(?<![\w)\]}}%])[-\u2212]){_CURRENCY})?(?P<digits>{_DIGITS}))"

_ANY_NUMBER = re.compile(_NUMBER)
_STRICT = re.compile(rf"(?<!#)####[^\S\n]*(?:\*\*)?(?P<line>{_CURRENCY}{_NUMBER}(?![.):][^\S\n]+\S)[^\n]*)")
_OPERATOR = rf"\s*[-+*/:^\u00d7\u00f7\u2212\u2013]\s*{_CURRENCY}[-(]?\.?[0-9]"
_TERM = re.compile(rf"{_CURRENCY}{_NUMBER}(?:{_OPERATOR}|\s+[0-9]+/[0-9])")
_ANNOTATION = re.compile(r"<<[^<>\n]*>>")
_LAST_LINE = re.compile(r"(?<!#)####(?!#)([^\n]*)")
_WHOLE = re.compile(
    rf"\s*(?:\*\*)?\s*{_CURRENCY}{_NUMBER}\s?(?:\\?[%$€£]|°)?"
    r"(?P<unit>(?:[^\W\d_]{2}|\s+\(?[^\W\d_])[^\d=+*:^<>|]*)?[\s.*]*"
)
_NO_UNIT = re.compile(
    r"\b(?:and|or|to|hundreds?|thousands?|millions?|billions?|trillions?|dozens?|half|halves|k|pi|x)\b", re.IGNORECASE
)
_GROUP_SPACE = re.compile(r"(?<=[0-9])(?:\\[,:;> ]|~|\{\\,\})(?=[0-9]{3}(?![0-9]))")
_POWER = re.compile(r"(?<=[A-Za-z}]) ?\^ ?(?:[0-9]|\{[0-9]+\})")
_BOXED = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")


class Found(NamedTuple):
    """The number of a response in canonical form, and the rule that found it."""

    number: str
    rule: Literal["strict", "boxed", "flexible"]


def extract_number(text: str) -> Found | None:
    """Return the number of a response and the rule that found it, or None."""
    plain = _without_latex(own_text(text))
    strict = strict_number(plain)
    if strict is not None:
        return Found(strict, "strict")
    boxes = _BOXED.findall(plain)
    if boxes:
        boxed = [_canonical(match) for match in _ANY_NUMBER.finditer(boxes[-1].rpartition("=")[2])]
        if len(boxed) == 1:
            return Found(boxed[0], "boxed")
    numbers = [_canonical(match) for match in _ANY_NUMBER.finditer(plain)]
    return Found(numbers[-1], "flexible") if numbers else None


def strict_number(text: str) -> str | None:
    """Return the number of the first `#### N` in canonical form, or None."""
    match = _STRICT.search(text)
    return None if match is None else _value(_ANNOTATION.sub("", match["line"]))


def whole_number(text: str) -> str | None:
    """Return the number of a text that is one number, perhaps with currency or unit, in canonical form, or None."""
    match = _WHOLE.fullmatch(_without_latex(text))
    return None if match is None or _NO_UNIT.search(match["unit"] or "") else _canonical(match)


def target_number(solution: str) -> str | None:
    """Return the number of the last `#### N` of a reference solution if nothing else is on its line, or None."""
    lines = _LAST_LINE.findall(solution)
    return whole_number(lines[-1]) if lines else None


def same_number(left: str, right: str) -> bool:
    """Return whether two decimal numerals have exactly the same value."""
    return Decimal(left) == Decimal(right)


def _value(line: str) -> str | None:
    """Return the value that a line gives, which begins with a number; None for a term without its value."""
    sides = [[*_ANY_NUMBER.finditer(side)] for side in line.split("=")]
    if len(sides) > 1:
        single = [numbers[0] for numbers in sides if len(numbers) == 1]
        if single:
            return _canonical(single[0] if len(sides[0]) == 1 else single[-1])
    return None if _TERM.match(line) else _canonical(sides[0][0])


def _canonical(match: re.Match[str]) -> str:
    """Return a number without commas, leading zeros, trailing zeros or a negative zero."""
    value = Decimal(match["digits"].replace(",", ""))
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"-{text}" if match["minus"] and value else text


def _without_latex(text: str) -> str:
    r"""Return the text with `1{,}234`, `1,\!234` and `1\,234` as `1,234`, and without exponents of units."""
    return _POWER.sub("", _GROUP_SPACE.sub(",", text.replace("{,}", ",").replace("\\!", "")))
