"""A table as LaTeX, for a preamble with booktabs; it compiles with pdflatex."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from ssd.report.tables.table import Cell, Section, Table

SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "−": r"$-$", "–": "--", "×": r"$\times$", "→": r"$\to$",
    "·": r"$\cdot$", "†": r"\dag{}", "‡": r"\ddag{}", "§": r"\S{}", "≥": r"$\ge$", "≤": r"$\le$", "τ": r"$\tau$", 
    "…": r"\ldots{}", "’": "'", "[": "{[}", "]": "{]}",
}  # fmt: skip
LONG = 45
"""A table of more lines is printed as several."""
PAGE, COLUMN, BETWEEN, EM = 136, 64, 2, 0.47
"""A page's width and a column's in characters of small print, what a gap takes of it, a character's width in em."""
PACKAGES = "% needs \\usepackage{array,booktabs}"


def latex(table: Table) -> str:
    r"""A table environment with caption, label and notes, and more of them while rows are left.

    A table that is wider than one column of a paper spans both (table*); a paper of one column shows it the same.
    """
    longest = _longest(table)
    most = _most(longest)
    kinds = ["l" if place < table.words else "r" for place in range(len(table.heads))]
    paragraph = rf">{{\raggedright\arraybackslash}}p{{{most * EM:.1f}em}}"
    widths = "".join(
        paragraph if kind == "l" and length > most else kind for kind, length in zip(kinds, longest, strict=True)
    )
    environment = "table*" if sum(longest) + BETWEEN * len(longest) > COLUMN else "table"
    heads = " & ".join(_head(head, kind) for head, kind in zip(table.heads, kinds, strict=True)) + r" \\"
    notes = [r"\par\smallskip\raggedright " + r"\\ ".join(map(escape, table.notes))] if table.notes else []
    parts = list(_parts(table.sections, most))
    lines = [PACKAGES]
    for number, sections in enumerate(parts, start=1):
        lines += [
            rf"\begin{{{environment}}}[tp]", r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            _caption(table) if number == 1 else rf"Table~\ref{{tab:{table.name}}}, continued\par\smallskip",
            rf"\begin{{tabular}}{{@{{}}{widths}@{{}}}}", r"\toprule", heads,
            *(f"\\midrule\n{_section(section, len(table.heads))}" for section in sections),
            r"\bottomrule", r"\end{tabular}", *(notes if number == len(parts) else []), rf"\end{{{environment}}}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _caption(table: Table) -> str:
    told = rf"\textbf{{{escape(table.title)}.}} {escape(table.caption)}"
    return rf"\caption{{{told}}}\label{{tab:{table.name}}}\smallskip"


def _parts(sections: Iterable[Section], most: int) -> Iterator[list[Section]]:
    """Return parts no longer than a page; a section that is cut has its title in both parts."""
    part: list[Section] = []
    lines = 0
    for section in sections:
        rows: list[tuple[Cell, ...]] = []
        for row in section.rows:
            height = max(-(-len(cell.text) // most) for cell in row) or 1
            if lines + height > LONG and (part or rows):
                yield [*part, Section(section.title, tuple(rows))] if rows else part
                part, rows, lines = [], [], 0
            rows.append(row)
            lines += height
        part.append(Section(section.title, tuple(rows)))
    yield part


def escape(text: str) -> str:
    """Return text that LaTeX prints literally; a letter that pdflatex lacks becomes its plain one, or `?`."""
    return "".join(SPECIAL.get(letter) or _plain(letter) for letter in " ".join(text.split()))


def _plain(letter: str) -> str:
    if letter.isascii():
        return letter
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return "".join(SPECIAL.get(part, part) for part in plain) or "?"


def _longest(table: Table) -> list[int]:
    """Return the length of the longest line of every column, in characters."""
    rows = [row for section in table.sections for row in section.rows]
    return [
        max(max(map(len, _halves(head))), *(len(row[place].text) for row in rows))
        for place, head in enumerate(table.heads)
    ]


def _most(longest: list[int]) -> int:
    """Return the line length, in characters, at which the table is no wider than a page."""
    room, most = PAGE - BETWEEN * len(longest), max(longest)
    while sum(min(length, most) for length in longest) > room and most > 1:
        most -= 1
    return most


def _head(head: str, side: str) -> str:
    lines = [escape(half) for half in _halves(head)]
    return lines[0] if len(lines) == 1 else rf"\shortstack[{side}]{{{lines[0]}\\{lines[1]}}}"


def _halves(head: str) -> list[str]:
    """Return a head of several words as two lines of similar length."""
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
