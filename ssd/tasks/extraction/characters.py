"""Write Unicode's mathematical characters as LaTeX."""

from __future__ import annotations

import re
import unicodedata

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
