r"""Rewrite a mathematical answer in one notation, without the parts that do not change its value."""

from __future__ import annotations

import re

from ssd.tasks.extraction.characters import in_latex
from ssd.tasks.extraction.quantities import number_of, without_signs
from ssd.tasks.extraction.sentences import FORMULA, content_of

# Bold, italic, colour and size. A command before braces goes, and the braces stay.
_STYLE = re.compile(
    r"\\(?:(?:begin|end)\{(?:align(?:ed)?|gathered|equation)\*?\}|(?:text)?color(?:box)?\s*(?:\[[^\]{}]*\])?\s*\{[^{}]*\}"
    r"|(?:bold(?:symbol)?|bm|pmb|boldmath|math(?:bf|it|sf|tt|normal|strut)|underline|uline|ensuremath|boxed|fbox"
    r"|(?:display|text|script|scriptscript)style|large|Large|LARGE|huge|Huge|small|normalsize"
    r"|bf|bfseries|it|rm|sf|tt)(?![A-Za-z]))\s*"
)
_TEXT_STYLE = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt|sc|normal)|emph|[mh]box)\s*(?=\{)")
_WORDS = re.compile(r"\\(?:text|mathrm)\s*(?=\{)")
_BRACE = re.compile(r"\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL)
_MATHEMATICS = re.compile(r"[0-9\\$+*/^=<>|]|(?<![A-Za-z])[A-Za-z]\s*-\s*[A-Za-z](?![A-Za-z])")
_OUTER = r"(?:\s|~|\\[,:;! ]|\\q?quad(?![A-Za-z])|\*\*|[\"`\u201c\u201d])+"
_BEFORE = re.compile(rf"{_OUTER}|\$\s+")
_AFTER = re.compile(rf"(?:(?<!\\right)\.)?{_OUTER}\Z|(?<!\\right)\.\Z")

_SAID = r"(?:[A-Za-z]+,?[\s~]+){0,6}?answer(?:[\s~]*(?:is|[:=])\s*)*"
_SAID_IN_TEXT = re.compile(rf"\\(?:text|mathrm)\{{\s*{_SAID}", re.IGNORECASE)
_SAID_PLAINLY = re.compile(rf"{_SAID}(?:\\?\s)*(?=.)", re.IGNORECASE)
_LABEL = re.compile(
    r"(?i)\\text\{(?:[^{}]*(?:\b(?:is|are|equals|therefore,?|thus,?|hence,?|so,?)|[:=])|\s*)\s*\}(?:\\?\s|~|[:=])*|\\text\{[^{}]*\}(?:\\?\s)*[:=]\s*"
)


def normal(answer: str) -> str:
    r"""Return an answer without typography, introduction, signs, separators, scale words and unit.

    Unicode mathematics becomes LaTeX. A text command stays round words only.
    """
    plain = _without_introduction(_without_style(in_latex(answer)))
    return number_of(_bare(without_signs(plain)))


def words(plain: str) -> str | None:
    """Return the content of an answer in normal notation that is one text command, or None."""
    found = _WORDS.match(plain)
    if found is None or _closing(plain, found.end()) != len(plain):
        return None
    return plain[found.end() + 1 : -1]


def _without_style(answer: str) -> str:
    return _bare(_TEXT_STYLE.sub(r"\\text", _STYLE.sub("", answer)))


def _without_introduction(answer: str) -> str:
    r"""Return the answer without `The answer is` and labels before it, as `\text{Area: }`."""
    for introduction, rest in ((_SAID_IN_TEXT, r"\text{"), (_SAID_PLAINLY, "")):
        said = introduction.match(answer)
        answer = rest + answer[said.end() :] if said else answer
    label = _LABEL.match(answer)
    if label and label.end() < len(answer):
        answer = answer[label.end() :]
    return _bare(answer)


def _bare(answer: str) -> str:
    """Return the answer without space, delimiters, braces or text commands around it, and without a full stop."""
    before = None
    while answer != before:
        before = answer
        answer = _AFTER.sub("", _BEFORE.sub("", answer, count=1) if _BEFORE.match(answer) else answer)
        formula = FORMULA.fullmatch(answer)
        if formula is not None:
            answer = content_of(formula)
        if answer.startswith("{") and _closing(answer, 0) == len(answer):
            answer = answer[1:-1]
        content = words(answer)
        if content is not None and _MATHEMATICS.search(content):
            answer = content
    return answer


def _closing(text: str, place: int) -> int | None:
    """Return the end of the braces that open at `place`, or None if they stay open."""
    depth = 0
    for brace in _BRACE.finditer(text, place):
        depth += (brace["open"] is not None) - (brace["close"] is not None)
        if depth == 0:
            return brace.end()
    return None
