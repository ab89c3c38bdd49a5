"""Tables as Markdown and LaTeX: nothing that a name holds breaks them, and pdflatex takes every one."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from ssd.report.results import load
from ssd.report.tables.catalogue import TABLES, write
from ssd.report.tables.latex import escape, latex
from ssd.report.tables.markdown import escape as markdown_escape
from ssd.report.tables.markdown import markdown
from ssd.report.tables.table import Cell, Section, Table
from tests.report.synthetic import write_results, write_run

HOSTILE = r'a_b & 50% of $x$ #1 {y} ~z ^2 \input{/etc/passwd} <b>|`*` “naïve” "b" ≥ 中文'
COLUMNS = ("onecolumn", "twocolumn")
DOCUMENT = r"""\documentclass[%s]{article}
\usepackage[margin=2cm]{geometry}
\usepackage{array,booktabs}
\begin{document}
%s
\end{document}
"""


def hostile_table(rows: int = 2, columns: int = 3) -> Table:
    cells = (Cell(HOSTILE, bold=True, marks=("†", "a")), *(Cell("−1.00 [−2.00, 0.50]"),) * (columns - 1))
    section = Section(HOSTILE, (cells,) * rows)
    return Table("hostile", HOSTILE, HOSTILE, (HOSTILE,) * columns, (section,), pd.DataFrame(), (HOSTILE,))


def compile_all(sources: list[str], folder: Path, columns: str) -> str:
    """What pdflatex says of these tables in a paper of one or two columns, which is the assertion's if it fails."""
    if shutil.which("pdflatex") is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs pdflatex on the PATH")
    (folder / "tables.tex").write_text(DOCUMENT % (columns, "\n\\clearpage\n".join(sources)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


def widest(log: str) -> float:
    """By how many points the worst line is too wide."""
    return max(map(float, re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", log)), default=0.0)


@pytest.mark.slow
def test_every_table_compiles(tmp_path: Path) -> None:
    root = tmp_path / "results"
    write_results(root, prompts=4)  # `attribution` needs four
    write_run(root, "ssd", prompts=4, generation={"cache": "none"})
    write_run(root, "ssd", prompts=4, runtime={"batch_size": 2})
    write_run(root, "ssd_&%#", "mo~del^", "ta$k{}\\", prompts=2)
    results = load(root)
    made = {name: table.make(results) for name, table in TABLES.items()}
    assert all(made.values())
    for columns in COLUMNS:
        log = compile_all([latex(table) for table in made.values() if table is not None], tmp_path, columns)
        assert widest(log) < 20
        assert "Float too large" not in log


@pytest.mark.parametrize("columns", COLUMNS)
def test_hostile_texts_and_long_tables_compile(tmp_path: Path, columns: str) -> None:
    tables = [hostile_table(), hostile_table(rows=90), hostile_table(columns=9), reasons(60)]
    log = compile_all([latex(table) for table in tables], tmp_path, columns)
    assert "Float too large" not in log
    assert widest(compile_all([latex(reasons(60))], tmp_path, columns)) == 0


def test_a_long_table_is_several(tmp_path: Path) -> None:
    text = latex(reasons(100))
    assert text.count(r"\begin{table*}") == text.count("continued") + 1 > 2
    assert text.count(r"\caption{") == text.count(r"\label{") == 1
    assert len(re.findall(r"^run\d+ & .* \\\\$", text, re.M)) == 100


def reasons(rows: int) -> Table:
    """A table of two columns that is too wide for a column of a paper and too long for a page."""
    cells = tuple((Cell(f"run{row}"), Cell("cannot be read " * 15)) for row in range(rows))
    frame = pd.DataFrame()
    return Table("left_out", "Left out", "Why.", ("folder", "reason"), (Section("", cells),), frame, words=2)


def test_latex_prints_what_it_is_given() -> None:
    assert escape("a_b & 5%") == r"a\_b \& 5\%"
    assert escape("\\{é−×中") == r"\textbackslash{}\{e$-$$\times$?"
    text = latex(hostile_table())
    assert r"\textbf{a\_b" in text
    assert r"\textsuperscript{\dag{},a}" in text
    assert r"\input" not in text
    assert escape('"') == "''"


def test_markdown_shows_what_it_is_given() -> None:
    assert markdown_escape("a & $x$ `b` <c>") == r"a \& \$x\$ \`b\` \<c\>"


def test_every_markdown_row_has_as_many_cells(tmp_path: Path) -> None:
    lines = markdown(hostile_table(columns=4)).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 4
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}
    assert not [line for line in lines if re.search(r"(?<!\\)<(?!/?sup>)", line)]


@pytest.mark.slow
def test_files_hold_the_same_rows(tmp_path: Path) -> None:
    write_run(tmp_path / "results", "ssd", prompts=2)
    write_run(tmp_path / "results", "stepwise", prompts=2)
    for entry in TABLES.values():
        table = entry.make(load(tmp_path / "results"))
        if table is None:
            continue
        csv, text, tex = write(table, tmp_path / "tables")
        count = sum(len(section.rows) for section in table.sections)
        assert len(pd.read_csv(csv)) == count
        assert len(re.findall(r"^\|", text.read_text(), re.M)) == count + 2 * len(table.sections)
        titles = sum(bool(section.title) for section in table.sections)
        assert len(re.findall(r"\\\\$", tex.read_text(), re.M)) == count + titles + 1
