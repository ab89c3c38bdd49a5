"""Find the end and the fenced blocks of a response's text."""

from __future__ import annotations

import re

# Tokenizers remove these as special tokens, but a model can also write one as plain text.
_END = re.compile(r"<\|(?:endoftext|eot_id|im_end|end_of_text)\|>|</s>")
# A language after the backticks, alone on its line, belongs to the fence. An open block ends with the text.
_FENCED = re.compile(r"(?<!`)(`{3,}+)(?:[ \t]*[\w+#.-]*[ \t]*\n)?(.*?)(?:\1|(?P<open>\Z))", re.DOTALL)


def own_text(text: str) -> str:
    """Return the response before its first end token, with newlines as line ends."""
    return re.sub(r"\r\n?", "\n", _END.split(text, maxsplit=1)[0])


def fenced_blocks(text: str) -> list[str]:
    """Return the fenced blocks, later blocks first; a block without a closing fence comes last."""
    found = list(_FENCED.finditer(text))
    closed = [match[2] for match in reversed(found) if match["open"] is None]
    return closed + [match[2] for match in found if match["open"] is not None]
