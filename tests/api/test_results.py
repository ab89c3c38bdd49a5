"""Runs from Python, and the frames of their results."""

import pytest

import ssd
from tests.runs import only_folder, short_words


def test_a_run_is_started_and_read(checkpoints, tmp_path):
    words = [*short_words(checkpoints["llada"], "llada", tmp_path), "decoder=ssd", "runtime.limit=1"]
    summary = ssd.run(words)
    assert summary["identity"]["rate"] == 1
    assert only_folder(tmp_path).name == summary["run_id"]
    assert ssd.run(" ".join(words)) == summary
    results = ssd.read(tmp_path)
    assert list(results.done["run_id"]) == [summary["run_id"]]
    assert len(results.samples) == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("-m decoder=ssd,freedave", "-m: ssd.run starts a single run; use the command: "),
        ("decoder=ssd,freedave", "decoder=ssd,freedave: several values make a grid; add -m: "),
        ("decoder=sdd", "decoder=sdd: expected one of apd"),
        ("runtime.limt=3", r"runtime.limt is not an option; did you mean runtime.limit\?"),
        ("runtime.limit=0", "runtime.limit=0: expected"),
        ("decoder ssd", "decoder: an option looks like NAME=VALUE; type decoder=ssd"),
        ("decoder='ssd", "No closing quotation; close the quotation"),
        (None, "words=None: expected a text or a list of texts"),
        ([5], r"words=\[5\]: expected a text or a list of texts"),
    ],
)
def test_wrong_words_are_refused_in_one_line(words, line):
    with pytest.raises(ValueError, match=line) as caught:
        ssd.run(words)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        ssd.read(tmp_path / "none")
    with pytest.raises(ValueError, match="results=5: expected the path of a results folder"):
        ssd.read(5)
