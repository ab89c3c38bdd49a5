"""The list of a results folder: every run with its state, and what cannot be read by name."""

import json

import pytest

from ssd.report.console.run_list import print_runs
from tests.report.synthetic import write_run


def row_of(printed: str, word: str) -> str:
    (row,) = [line for line in printed.splitlines() if word in line]
    return row


def test_every_run_is_listed_with_what_varies_and_its_state(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    done = write_run(tmp_path, "ssd", options={"depth": 4}, prompts=3)
    write_run(tmp_path, "ssd", options={"depth": 5}, prompts=2, status="unfinished")
    write_run(tmp_path, "ssd", options={"depth": 6}, prompts=1, status="failed")
    other = write_run(tmp_path, "ssd", options={"depth": 7}, prompts=1)
    (other / "summary.json").write_text(json.dumps({"schema": 2}))
    (tmp_path / "references").mkdir()
    print_runs(tmp_path)
    printed = capsys.readouterr().out
    speedup = json.loads((done / "summary.json").read_text())["speedup"]
    assert "3 runs in" in printed
    figures = ("done", done.name, " 3 ", f"{speedup['ratio']:.2f} ({speedup['low']:.2f} to", "100.0%", "20")
    assert all(figure in row_of(printed, "depth=4") for figure in figures)
    assert "begun" in row_of(printed, "depth=5")
    assert "failed" in row_of(printed, "depth=6")
    assert max(map(len, printed.splitlines()[:8])) <= 160
    assert f"cannot be listed: {other / 'summary.json'}: schema 2, this version reads schema 1; measure" in printed


def test_a_narrow_terminal_and_an_empty_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    print_runs(tmp_path)
    assert "0 runs" in capsys.readouterr().out
    write_run(tmp_path, "ssd", prompts=1)
    print_runs(tmp_path)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60
    with pytest.raises(FileNotFoundError, match="no such folder"):
        print_runs(tmp_path / "nowhere")
