"""The list of a results folder: every run with its state, and what cannot be read by name."""

import json
import re
from pathlib import Path

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
    assert f"3 runs in {tmp_path}" in printed
    assert "state: " not in printed, "the states differ"
    figures = ("done", done.name, " 3 ", f"{speedup['ratio']:.2f} ({speedup['low']:.2f} to", "100.0%", "20")
    assert all(figure in row_of(printed, "depth=4") for figure in figures)
    assert "begun" in row_of(printed, "depth=5")
    assert "failed" in row_of(printed, "depth=6")
    assert max(map(len, printed.splitlines()[:6])) <= 160
    assert f"cannot be listed: {other / 'summary.json'}: schema 2, this version reads schema 1; measure" in printed


def test_a_narrow_terminal_and_an_empty_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    print_runs(tmp_path)
    assert "0 runs" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    folders = [write_run(tmp_path, "ssd", options={"depth": depth, "budget": 9}, prompts=1) for depth in (1, 2)]
    for width in (60, 90, 150):
        monkeypatch.setenv("COLUMNS", str(width))
        print_runs(Path())
        printed = capsys.readouterr().out
        assert max(map(len, printed.splitlines())) <= width
        assert printed.splitlines()[0].rstrip() == "2 runs in .; prompts: 1; state: done"
        assert all(figure in printed for figure in ("depth=2", "speedup", "identity", "100.0%", "date", "20"))
        assert all(len(re.findall(rf"^{folder.name} ", printed, re.MULTILINE)) >= 1 for folder in folders)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        print_runs(tmp_path / "nowhere")


def test_a_damaged_line_of_a_finished_run_is_named_with_the_remedy(tmp_path, capsys):
    folder = write_run(tmp_path, "ssd", prompts=4)
    lines = (folder / "samples.jsonl").read_text().splitlines()
    lines[2] = lines[2][:40]
    (folder / "samples.jsonl").write_text("".join(line + "\n" for line in lines))
    print_runs(tmp_path)
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "samples.jsonl" in line]
    assert told.startswith(
        f"{folder.name}: samples.jsonl: 1 line is no sample (3); repeat the run's command with repair"
    )
