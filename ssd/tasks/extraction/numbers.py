r"""Find and compare the numeric answers of word problems: extraction version 2.

These rules apply in order to a response before its first end token. The first rule that finds a number decides.

1. Strict: the first `#### N`, the last line of reference solutions. `#### $1,234`, `#### **18**` and `#### 18 dollars`
   count; a heading (`#### 1. Find the cost`) does not.
2. Boxed: the last `\boxed{...}`, if it contains exactly one number after its last `=`.
3. Flexible: the last number of the text.

A number has ASCII digits. Groups of three may be separated by commas or LaTeX's spaces (`1\,234`, `1\ 234`, `1~234`).
Decimals are optional. A minus belongs to the number unless it follows a word, a digit or a closing bracket (`20-2` ends
in 2). Currency signs, `%` and a final full stop are not part of it. The exponent of a letter or of a brace is no number
(`18 \text{ km}^2`). Fractions, powers and number words are not interpreted: `3/4` gives 4.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, NamedTuple

from ssd.tasks.extraction.responses import own_text

_CURRENCY = r"(?:\\?[$€£] ?)?"
_DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+"
# The atomic group forbids a match that ends inside a number.
_NUMBER = rf"(?>(?:(?P<minus>(?<![\w)\]}}%])[-\u2212]){_CURRENCY})?(?P<digits>{_DIGITS}))"

_ANY_NUMBER = re.compile(_NUMBER)
_STRICT = re.compile(rf"(?<!#)####[^\S\n]*(?:\*\*)?{_CURRENCY}{_NUMBER}(?![.):][^\S\n]+\S)")
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
    return None if match is None else _canonical(match)


def same_number(left: str, right: str) -> bool:
    """Return whether two decimal numerals have exactly the same value."""
    return Decimal(left) == Decimal(right)


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
