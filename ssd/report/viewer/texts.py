"""Readable texts of tokens: every character is visible, and none can disturb the page."""

from __future__ import annotations

import unicodedata

_SHOWN = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
_UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp", "Cs", "Co", "Cn"}


def visible(text: str) -> str:
    """Return the text with white space, control characters and marks of direction made visible.

    It is not escaped for HTML: the page inserts texts as text.
    """
    return "".join(_SHOWN.get(character) or _seen(character) for character in text)


def _seen(character: str) -> str:
    return f"\\u{ord(character):04x}" if unicodedata.category(character) in _UNSEEN else character
