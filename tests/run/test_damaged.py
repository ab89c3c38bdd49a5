"""A finished run whose files are damaged is mended by its own command, without measuring the rest again."""

import json

import pytest

from ssd.results.store import RunFolder
from ssd.run import loading
from tests.runs import lines_of, only_folder

DAMAGES = ["{", "", "[]", '{"schema": 1}', "null"]


@pytest.fixture
def finished(short_run, tmp_path):
    """The summary and the folder of a finished run."""
    return short_run("llada"), only_folder(tmp_path)


@pytest.mark.slow
def test_a_damaged_summary_is_made_again_from_the_samples(short_run, finished, monkeypatch, capsys):
    summary, folder = finished
    samples = (folder / "samples.jsonl").read_bytes()
    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("no weights are needed"))
    for damage in DAMAGES:
        (folder / "summary.json").write_text(damage)
        assert short_run("llada") == summary
        assert json.loads((folder / "summary.json").read_text()) == summary
        assert "summary.json was damaged; it is made again from samples.jsonl" in capsys.readouterr().out
    (folder / "summary.json").unlink()
    assert short_run("llada") == summary
    assert (folder / "samples.jsonl").read_bytes() == samples


@pytest.mark.slow
def test_a_deleted_line_is_measured_again(short_run, finished, tmp_path, monkeypatch):
    _, folder = finished
    before = lines_of(folder)
    content = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.jsonl").write_text(content[0] + content[2])
    appended, append = [], RunFolder.append

    def watch(self, sample):
        appended.append((sample["index"], self.is_done))
        append(self, sample)

    monkeypatch.setattr(RunFolder, "append", watch)
    assert short_run("llada")["responses"] == 3
    assert appended == [(1, False)], "a run that lacks a line is not done meanwhile"
    after = sorted(lines_of(folder), key=lambda line: line["index"])
    assert [line["decoder"]["response_ids"] for line in after] == [line["decoder"]["response_ids"] for line in before]
    assert (after[0], after[2]) == (before[0], before[2])


@pytest.mark.slow
def test_repair_drops_a_damaged_line_of_a_finished_run(short_run, finished, capsys):
    _, folder = finished
    content = (folder / "samples.jsonl").read_text().splitlines(keepends=True)
    (folder / "samples.jsonl").write_text(content[0] + content[1][:50] + "\n" + content[2])
    (folder / "summary.json").write_text("{")
    with pytest.raises(ValueError, match=r"samples.jsonl, line 2: not a sample .* repair=true"):
        short_run("llada")
    assert short_run("llada", "repair=true")["responses"] == 3
    assert "samples.jsonl: dropped line 2" in capsys.readouterr().out
    assert len(lines_of(folder)) == 3
