"""A table as LaTeX, for a preamble with booktabs; it compiles with pdflatex."""

from __future__ import annotations

import unicodedata

from ssd.report.tables.table import Cell, Section, Table

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "−": r"$-$", "–": "--", "×": r"$\times$", "→": r"$\to$",
    "·": r"$\cdot$", "†": r"\dag{}", "‡": r"\ddag{}", "≥": r"$\ge$", "≤": r"$\le$", "τ": r"$\tau$", 
    "…": r"\ldots{}", "’": "'", "[": "{[}", "]": "{]}",
}  # fmt: skip
WIDE, LONG = 6, 45
"""A table of more columns spans both columns of a paper; one of more rows may be broken between pages."""
CHARACTERS, BETWEEN, EM = 136, 2, 0.47
"""A page's width in characters of small print, what a gap between columns takes of it, and their width in em."""
PACKAGES = "% needs \\usepackage{array,booktabs,longtable}"


def latex(table: Table) -> str:
    r"""A table environment with caption, label and notes; a longtable, if it is too long for a page."""
    widths = "".join(_widths(table))
    caption = (
        rf"\caption{{\textbf{{{escape(table.title)}.}} {escape(table.caption)}}}\label{{tab:{table.name}}}\smallskip"
    )
    heads = " & ".join(_head(head, "l" if place < table.words else "r") for place, head in enumerate(table.heads))
    heads += r" \\"
    body = [f"\\midrule\n{_section(section, len(table.heads))}" for section in table.sections]
    notes = [r"\par\smallskip\raggedright " + r"\\ ".join(map(escape, table.notes))] if table.notes else []
    if sum(len(section.rows) for section in table.sections) > LONG:
        parts = [
            PACKAGES, r"{\scriptsize\setlength{\tabcolsep}{3pt}", rf"\begin{{longtable}}{{@{{}}{widths}@{{}}}}",
            caption + r"\\", r"\toprule", heads, r"\endfirsthead", r"\toprule", heads, r"\endhead", *body,
            r"\bottomrule", r"\end{longtable}", *notes, "}",
        ]  # fmt: skip
    else:
        environment = "table*" if len(table.heads) > WIDE else "table"
        parts = [
            PACKAGES, rf"\begin{{{environment}}}[t]", r"\centering\scriptsize\setlength{\tabcolsep}{3pt}", caption,
            rf"\begin{{tabular}}{{@{{}}{widths}@{{}}}}", r"\toprule", heads, *body, r"\bottomrule", r"\end{tabular}",
            *notes, rf"\end{{{environment}}}",
        ]  # fmt: skip
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text that LaTeX prints as it is; a letter that pdflatex lacks becomes its plain one, or a question mark."""
    return "".join(SPECIAL.get(letter) or _plain(letter) for letter in " ".join(text.split()))


def _plain(letter: str) -> str:
    if letter.isascii():
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return "".join(SPECIAL.get(part, part) for part in plain) or "?"


def _widths(table: Table) -> list[str]:
    """A column type for each column; where they do not fit on a page, the longest texts are broken into lines."""
    rows = [row for section in table.sections for row in section.rows]
    longest = [
        max(max(map(len, _halves(head))), *(len(row[place].text) for row in rows))
        for place, head in enumerate(table.heads)
    ]
    room, most = CHARACTERS - BETWEEN * len(longest), max(longest)
    while sum(min(length, most) for length in longest) > room and most > 1:
        most -= 1
    broken = [place < table.words and length > most for place, length in enumerate(longest)]
    paragraph = rf">{{\raggedright\arraybackslash}}p{{{most * EM:.1f}em}}"
    return [paragraph if long else "l" if place < table.words else "r" for place, long in enumerate(broken)]


def _head(head: str, side: str) -> str:
    lines = [escape(half) for half in _halves(head)]
    return lines[0] if len(lines) == 1 else rf"\shortstack[{side}]{{{lines[0]}\\{lines[1]}}}"


def _halves(head: str) -> list[str]:
    """A head of several words as two lines of about one length."""
    places = [place for place, letter in enumerate(head) if letter == " " and head[place + 1] != "%"]
    if not places or len(head) < 9:
        return [head]
    middle = min(places, key=lambda place: abs(2 * place + 1 - len(head)))
    return [head[:middle], head[middle + 1 :]]


def _section(section: Section, columns: int) -> str:
    title = [rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\textit{{{escape(section.title)}}}}} \\"] if section.title else []
    return "\n".join([*title, *(" & ".join(map(_cell, row)) + r" \\" for row in section.rows)])


def _cell(cell: Cell) -> str:
    text = rf"\textbf{{{escape(cell.text)}}}" if cell.bold else escape(cell.text)
    return text + (rf"\textsuperscript{{{escape(cell.raised)}}}" if cell.marks else "")
