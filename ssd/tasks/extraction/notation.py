r"""Rewrite a mathematical answer in one notation, without the parts that do not change its value."""

from __future__ import annotations

import re
import unicodedata

from ssd.tasks.extraction.quantities import number_of, without_signs
from ssd.tasks.extraction.sentences import FORMULA, content_of

_FRACTION = re.compile("([\u00bc-\u00be\u2150-\u215e])")
_RAISED = re.compile("[\u2070\u00b9\u00b2\u00b3\u2074-\u2079\u207a\u207b\u207f]+")
_LOWERED = re.compile("[\u2080-\u2089]+")
_ROOT = re.compile(r"([\u221a\u221b])\s*(\d+(?:\.\d+)?|[A-Za-z]|\\pi\s|\([^()]*\)|\{[^{}]*\})")
_SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u2009\u202f", "~"),
        "\u00ba": "\u00b0",
        "\u00d7": r"\times ",
        "\u00f7": r"\div ",
        "\u00b7": r"\cdot ",
        "\u22c5": r"\cdot ",
        "\u2044": "/",
        "\u00b1": r"\pm ",
        "\u221e": r"\infty ",
        "\u2264": r"\le ",
        "\u2265": r"\ge ",
        "\u2260": r"\ne ",
        "\u222a": r"\cup ",
        "\u2229": r"\cap ",
        "\u2208": r"\in ",
        "\u03c0": r"\pi ",
        "\u03b8": r"\theta ",
        "\u03b1": r"\alpha ",
        "\u03b2": r"\beta ",
    }
)
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
    plain = _without_introduction(_bare(_TEXT_STYLE.sub(r"\\text", _STYLE.sub("", in_latex(answer)))))
    return number_of(_bare(without_signs(plain)))


def words(plain: str) -> str | None:
    """Return the content of an answer in normal notation that is one text command, or None."""
    found = _WORDS.match(plain)
    if found is None or _closing(plain, found.end()) != len(plain):
        return None
    return plain[found.end() + 1 : -1]


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


def in_latex(answer: str) -> str:
    """Return the answer with LaTeX in place of Unicode's mathematical characters."""
    if answer.isascii():
        return answer
    latex = _FRACTION.sub(
        lambda sign: r"\frac{{{}}}{{{}}}".format(*unicodedata.normalize("NFKC", sign[1]).split("\u2044")), answer
    )
    latex = _RAISED.sub(lambda raised: f"^{{{unicodedata.normalize('NFKC', raised[0])}}}", latex)
    latex = _LOWERED.sub(lambda lowered: f"_{{{unicodedata.normalize('NFKC', lowered[0])}}}", latex)
    latex = latex.translate(_SYMBOLS)
    return _ROOT.sub(lambda root: rf"\sqrt{'[3]' if root[1] == chr(0x221B) else ''}{{{_content(root[2])}}}", latex)


def _content(argument: str) -> str:
    return argument[1:-1] if argument[0] in "({" else argument
