"""Tokens as people can read them: every one visible, and none able to disturb the page."""

from __future__ import annotations

import unicodedata

_SHOWN = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}
_UNSEEN = {"Cc", "Cf", "Zs", "Zl", "Zp", "Cs", "Co", "Cn"}


def visible(text: str) -> str:
    """The text with white space, control characters and marks of direction made visible.

    Nothing is escaped for HTML here: the page puts texts in as text.
    """
    return "".join(_SHOWN.get(character) or _seen(character) for character in text)


def _seen(character: str) -> str:
    return f"\\u{ord(character):04x}" if unicodedata.category(character) in _UNSEEN else character
