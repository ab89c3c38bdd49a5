"""Runs that predict their speedup from what forwards cost."""

import json

import pytest

from ssd.report.console.run_table import print_summary
from tests.effort import by_turns
from tests.models import FAMILIES
from tests.runs import lines_of, only_folder


@pytest.mark.slow
@pytest.mark.parametrize(("family", "cache"), by_turns(FAMILIES, ("none", "prefix", "dual")))
def test_a_run_predicts_its_speedup_and_resumes_with_the_same_costs(family, cache, short_run, tmp_path, capsys):
    words = ("runtime.predict=true", f"generation.cache={cache}", "decoder.depth=auto", "decoder.budget=4")
    summary = short_run(family, *words)
    folder = only_folder(tmp_path)
    measured = json.loads((folder / "measured.json").read_text())
    assert measured["forwards"]["nodes"] == [1, 2, 4]
    assert [count for count, _ in measured["costs"]] == [1, 2, 4]
    predicted = [[line[side]["predicted_s"] for line in lines_of(folder)] for side in ("reference", "decoder")]
    assert summary["predicted_speedup"] == pytest.approx(sum(predicted[0]) / sum(predicted[1]))
    assert all(0 < share < 1 for share in summary["outside_model"].values())
    print_summary(summary, "title", [1])
    assert "predicted" in capsys.readouterr().out

    expected = lines_of(folder)
    (folder / "done.json").unlink()
    content = (folder / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "samples.jsonl").write_bytes(content[0])
    short_run(family, *words)
    assert json.loads((folder / "measured.json").read_text()) == measured
    for found, line in zip(lines_of(folder), expected, strict=True):
        assert found["decoder"]["nfe"] == line["decoder"]["nfe"]
        assert found["decoder"]["predicted_s"] == line["decoder"]["predicted_s"]


@pytest.mark.slow
def test_windows_that_the_cost_model_does_not_know_are_not_predicted(short_run):
    assert short_run("llada", "runtime.predict=true", "decoder=wino")["predicted_speedup"] is None
