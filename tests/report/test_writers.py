"""Tables as Markdown and LaTeX: nothing that a name holds breaks them, and pdflatex takes every one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from ssd.report import load
from ssd.report.tables.catalogue import TABLES, write
from ssd.report.tables.latex import escape, latex
from ssd.report.tables.markdown import markdown
from ssd.report.tables.table import Cell, Section, Table
from tests.report.synthetic import write_results, write_run

HOSTILE = r"a_b & 50% of $x$ #1 {y} ~z ^2 \input{/etc/passwd} <b>|`*` “naïve” ≥ 中文"
DOCUMENT = r"""\documentclass{article}
\usepackage[margin=2cm]{geometry}
\usepackage{array,booktabs,longtable}
\begin{document}
%s
\end{document}
"""


def hostile_table(rows: int = 2, columns: int = 3) -> Table:
    cells = (Cell(HOSTILE, bold=True, marks=("†", "a")), *(Cell("−1.00 [−2.00, 0.50]"),) * (columns - 1))
    section = Section(HOSTILE, (cells,) * rows)
    return Table("hostile", HOSTILE, HOSTILE, (HOSTILE,) * columns, (section,), pd.DataFrame(), (HOSTILE,))


def compile_all(sources: list[str], folder: Path) -> str:
    """The text of the PDF that pdflatex makes of these tables; its log in the assertion if it does not."""
    if shutil.which("pdflatex") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs pdflatex on the PATH")
    (folder / "tables.tex").write_text(DOCUMENT % "\n\\clearpage\n".join(sources))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.slow
def test_every_table_compiles(tmp_path: Path) -> None:
    root = tmp_path / "results"
    write_results(root, prompts=3)
    write_run(root, "ssd_&%#", "mo~del^", "ta$k{}\\", prompts=2)
    results = load(root)
    made = {name: make(results) for name, make in TABLES.items()}
    assert all(made.values())
    log = compile_all([latex(table) for table in made.values() if table is not None], tmp_path)
    too_wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)]
    assert max(too_wide, default=0.0) < 20


def test_hostile_texts_and_long_tables_compile(tmp_path: Path) -> None:
    compile_all([latex(hostile_table()), latex(hostile_table(rows=90)), latex(hostile_table(columns=9))], tmp_path)


def test_latex_prints_what_it_is_given() -> None:
    assert escape("a_b & 5%") == r"a\_b \& 5\%"
    assert escape("\\{é−×中") == r"\textbackslash{}\{e$-$$\times$?"
    text = latex(hostile_table())
    assert r"\textbf{a\_b" in text
    assert r"\textsuperscript{\dag{},a}" in text
    assert r"\input" not in text
    assert r"\begin{longtable}" in latex(hostile_table(rows=90))


def test_every_markdown_row_has_as_many_cells(tmp_path: Path) -> None:
    lines = markdown(hostile_table(columns=4)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert not [line for line in lines if re.search(r"(?<!\\)<(?!/?sup>)", line)]


def test_files_hold_the_same_rows(tmp_path: Path) -> None:
    write_run(tmp_path / "results", "ssd", prompts=2)
    write_run(tmp_path / "results", "stepwise", prompts=2)
    for make in TABLES.values():
        table = make(load(tmp_path / "results"))
        if table is None:
            continue
        csv, text, tex = write(table, tmp_path / "tables")
        count = sum(len(section.rows) for section in table.sections)
        assert len(pd.read_csv(csv)) == count
        assert len(re.findall(r"^\|", text.read_text(), re.M)) == count + 2 * len(table.sections)
        titles = sum(bool(section.title) for section in table.sections)
        assert len(re.findall(r"\\\\$", tex.read_text(), re.M)) == count + titles + 1
