"""The page: template, style, script and data in one file that loads nothing from a network."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

SCRIPTS = ("timeline.js", "hints.js", "response.js", "tree.js", "order.js", "panels.js", "view.js", "main.js")


def page(data: dict[str, Any]) -> str:
    """Return the HTML of `contents`. Its content security policy allows its own script and style only."""
    style, script = _read("style.css"), "\n".join(map(_read, SCRIPTS))
    parts = {
        "title": escape(f"{data['run']['id']}: trace"),
        "style": style,
        "style_hash": _hash(style),
        "script": script,
        "script_hash": _hash(script),
        "data": embedded(data),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("template.html"))


def embedded(data: Any) -> str:
    """Return JSON that cannot end its element, nor open a comment or another element: ASCII without `<`."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _read(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode()
