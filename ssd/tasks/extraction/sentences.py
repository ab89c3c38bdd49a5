r"""Find the answer that a sentence, a label or a formula of a response gives."""

from __future__ import annotations

import re

_STATED = re.compile(
    # A sentence: `the answer is`, `the answer to the problem must be`, `final result is`.
    r"\b(?:answer|final[ \t]+(?:result|value))"
    r"(?:,?[ \t]+(?:to|of|for|in|we|you|then|therefore|thus)\b[^.:;\n$\\]{0,80}?)?\**"
    r"(?:[ \t]*[:=]|[ \t]+(?:is\b|equals\b|(?:must|should|would|will)[ \t]+be\b|comes[ \t]+(?:out[ \t]+)?to\b))[:*}]*"
    # A heading, a tag, and the last line of GSM8K's solutions.
    r"|^[#*_ \t]*(?:the[ \t]+)?(?:final[ \t]+)?answer[*_# \t]*$"
    r"|<answer>"
    r"|(?<!#)####(?!#)(?=[^\n]*\S[^\n]*\s*\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_LEAD = re.compile(
    r"[\s*_`}]*(?:(?:therefore|thus|then|hence|so|now|option|choice|simply|just|clearly|indeed|exactly|equal to"
    r"|given by|found to be),?[\s*_`:]+|(?:an?|the)\s+(?:(?:number|value|integer|fraction|interval|point|pair"
    r"|ordered pair|expression|matrix|vector|set|polynomial|equation)\s+(?=\S)|(?=[A-Za-z]{2})))*"
)
FORMULA = re.compile(
    r"\$\$((?:(?!\$\$).)+)\$\$|\\\[((?:(?!\\\[).)+?)\\\]|\\\(((?:(?!\\\().)+?)\\\)"
    # No space at the inner ends and no digit after: this excludes two prices.
    r"|(?<![\\$])\$(?![\s$])((?:[^$\\]|\\.)+?)(?<!\s)\$(?!\d)",
    re.DOTALL,
)
_NEXT = re.compile(r"[ \t]*(?:,(?:[ \t]*(?:and|or)\b)?|and\b|or\b)[ \t]*(?=\$|\\\()")

_FUNCTION = r"(?:arc)?(?:sin|cos|tan|cot|sec|csc)\b|log\b|ln\b|exp\b|sqrt\b|pi\b|infinity\b|base\b|mod\b"
_SCALE = r"(?:thousand|million|billion|trillion)\b"
_REASON = r"(?:because|since|as|so|which|when|where|who|for|if|but|by|with|after|while)\b"
_PIECE = re.compile(
    r"(?P<open>\\left\b|\\begin\{[^{}]*\}|\\?\{|[(\[])|(?P<close>\\right\b|\\end\{[^{}]*\}|\\?\}|[)\]])"
    r"|\\(?:[A-Za-z]+|.)"
    r"|(?P<end>[.!?](?=[\s*_`\"'<)]|\Z)|\n|;|(?<!\s):(?=\s)|</|\*\*|`|\u2014|\s(?:-{1,3}|\u2013)\s(?=[A-Za-z]{2}))"
    rf"|(?P<reason>,?\s+{_REASON})"
    rf"|(?P<word>,?\s+(?:(?:and|or)\s+)?(?!{_FUNCTION}|{_SCALE}|and\b|or\b)(?:[A-Za-z]{{2}}|i\.e\.|\$)|\s\((?=[^()\[\]\\\n]*[A-Za-z]{{2}}))"
    r"|(?P<comma>,\s)",
)
_WORD = re.compile(r"[A-Za-z]{2}")


def last_statement(text: str) -> str | None:
    """Return what the last sentence, label, heading or tag states as the answer, or None."""
    for stated in reversed([*_STATED.finditer(text)]):
        lead = _LEAD.match(text, stated.end())
        start = stated.end() if lead is None else lead.end()
        formula = FORMULA.match(text, start)
        if formula is not None:
            return _list(text, formula)
        clause = text[start : _clause_end(text, start)]
        inside = FORMULA.search(clause)
        if inside is not None and _WORD.match(clause):
            return content_of(inside)
        clause = clause.strip(" \t\n*_`")
        if clause:
            return clause
    return None


def last_formula(text: str) -> str | None:
    """Return the last formula of the text, or None."""
    found = [*FORMULA.finditer(text)]
    return content_of(found[-1]) if found else None


def content_of(formula: re.Match[str]) -> str:
    """Return what stands between the delimiters of a formula."""
    return next(group for group in formula.groups() if group is not None).strip()


def _clause_end(text: str, start: int) -> int:
    """Return the end of the answer that begins at `start`: its sentence's end, a reason, or words after mathematics."""
    is_words = _WORD.match(text, start) is not None
    depth = 0
    for piece in _PIECE.finditer(text, start):
        if piece.start() == start and piece["word"]:
            continue
        ends = piece["end"] or piece["reason"] or piece["comma" if is_words else "word"]
        if ends and depth == 0:
            return piece.start()
        depth = max(0, depth + (piece["open"] is not None) - (piece["close"] is not None))
        if depth and piece["end"] and piece[0] == "\n" and text.startswith("\n", piece.end()):
            return piece.start()
    return len(text)


def _list(text: str, formula: re.Match[str]) -> str:
    """Return the content of a formula, and of those that `and`, `or` or a comma joins to it."""
    contents = [content_of(formula)]
    while (joint := _NEXT.match(text, formula.end())) and (following := FORMULA.match(text, joint.end())):
        formula = following
        contents.append(content_of(formula))
    return ", ".join(contents)
