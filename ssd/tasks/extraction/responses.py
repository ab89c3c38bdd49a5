"""Find the end and the blocks of a response's text, and whether it is too long for its code to be extracted."""

from __future__ import annotations

import re
import textwrap
from itertools import groupby

_MOST_LINES = 5_000
_MOST_CHARACTERS = 250_000

# Tokenizers remove these as special tokens, but a model can also write one as plain text.
_END = re.compile(r"<\|(?:endoftext|eot_id|im_end|end_of_text)\|>|</s>")
# A language after the backticks belongs to the fence: any alone on its line, or `python` before code on that line. An
# open block ends with the text.
_FENCED = re.compile(
    r"(?<!`)(`{3,}+)(?:[ \t]*[\w+#.-]*[ \t]*\n|[ \t]*(?i:python[23]?|py)[ \t]+)?(.*?)(?:\1|(?P<open>\Z))", re.DOTALL
)
# The line above an indented block of a statement. Its block is no passage of its own.
_HEADER = re.compile(
    r"(?:async|case|class|def|elif|else|except|finally|for|if|match|try|while|with|[)\]}\"'])(?!\w).*:"
)


def own_text(text: str) -> str:
    """Return the response before its first end token, with newlines as line ends."""
    return re.sub(r"\r\n?", "\n", _END.split(text, maxsplit=1)[0])


def fenced_blocks(text: str) -> list[str]:
    """Return the fenced blocks, later blocks first; a block without a closing fence comes last."""
    found = list(_FENCED.finditer(text))
    closed = [match[2] for match in reversed(found) if match["open"] is None]
    return closed + [match[2] for match in found if match["open"] is not None]


def indented_blocks(text: str) -> list[str]:
    """Return the indented blocks of Markdown without their indentation, later blocks first."""
    found: list[str] = []
    above = ""
    for indented, group in groupby(text.split("\n"), key=lambda line: not line.strip() or line[0].isspace()):
        lines = list(group)
        if not indented:
            above = lines[-1]
        elif any(line.strip() for line in lines) and not _HEADER.match(above):
            found.append(textwrap.dedent("\n".join(lines)))
    return found[::-1]


def too_long(text: str) -> str | None:
    """Return why code is not extracted from a response of this length, or None. It would take seconds."""
    lines = text.count("\n") + 1
    if lines > _MOST_LINES:
        return f"the response has {lines} lines; code is read from at most {_MOST_LINES}"
    if len(text) > _MOST_CHARACTERS:
        return f"the response has {len(text)} characters; code is read from at most {_MOST_CHARACTERS}"
    return None
