"""Reduce a quantity to its number, and read numerals with a base."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"\\?%|\^\\circ|\^\{\\circ\}|°")
_SPACE = r"(?:\\[,:;> ]|~|\{,\}|,?\\!|\{\\,\})"
_GROUPED = re.compile(rf"(?<![\w.])[0-9]{{1,3}}(?:{_SPACE}[0-9]{{3}})+(?![0-9])")
# After a name: math_verify reads `x = 1,234` as two numbers.
_GROUPED_VALUE = re.compile(r"(?<=[=\u2248])(\s*-?\s*(?:\\?\$)?[1-9][0-9]{0,2}(?:,[0-9]{3})+)(?=(?:\.[0-9]+)?\s*\Z)")
_NO_DIGITS = re.compile(r"[^0-9]+")
_ORDINAL = re.compile(
    r"(?<=[0-9])(?:\s?\^\s?)?\{?(?:\\(?:text|mathrm)\s?\{)?\s?(?:st|nd|rd|th)\}{0,2}\Z", re.IGNORECASE
)
_SCALE = re.compile(
    r"(?<=[0-9])(?:\s|\\[,; ]|~)*(?:\\text\{\s*)?(thousand|million|billion|trillion)\s*\}?(?=\s|\\text|\Z)"
)
_ZEROS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_UNIT = re.compile(
    r"(?<=[0-9})])\s*(?:square\s+)?(?:ways|integers|dollars|mph|inches|ft|hours|km|units|points|feet|minutes|digits|cents"
    r"|degrees|cm|gm|pounds|meters|meals|edges|students|multiples|percent)(?:\^[23]|\^\{[23]\})?\Z"
)

_NUMERAL = re.compile(
    r"\(?([0-9A-Za-z]+)\)?(?:_|(?:\\?\s|~)*(?=\\text\{\s*\(?base|\(?base))"
    r"(?:\\text|[{(\s]|\\\s)*(?:base(?:\\?\s|~|\})*)?([0-9]+|[a-z]+)[)}\s]*"
)
_FIRST_BASES = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_BASES = {name: base for base, name in enumerate(_FIRST_BASES, start=2)} | {"sixteen": 16}


def without_signs(answer: str) -> str:
    """Return the answer without percent and degree signs."""
    return _SIGNS.sub("", answer)


def number_of(quantity: str) -> str:
    """Return an answer without separators of thousands, its unit and the ending of an ordinal.

    A scale word becomes a power of ten.
    """
    whole = _GROUPED.sub(lambda number: _NO_DIGITS.sub("", number[0]), quantity).replace("~", " ")
    whole = _GROUPED_VALUE.sub(lambda value: value[1].replace(",", ""), whole)
    whole = _SCALE.sub(lambda scale: rf" \times 10^{{{_ZEROS[scale[1]]}}}", whole)
    return _ORDINAL.sub("", _UNIT.sub("", whole))


def numeral(plain: str) -> tuple[str, int] | None:
    """Return the digits and the base of a numeral in normal notation, or None without a base."""
    found = _NUMERAL.fullmatch(plain)
    if found is None:
        return None
    digits, base = found.groups()
    if base in _BASES:
        return digits, _BASES[base]
    return (digits, int(base)) if base.isdecimal() else None
