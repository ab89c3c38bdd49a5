"""Traces that are old, torn or odd: the others are kept, and they are named."""

import json
from pathlib import Path

import pytest

from ssd.report.results import load
from tests.report.synthetic import write_run


def test_traces_of_older_runs_and_torn_ones(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=3, traces=True)
    old, torn = folder / "traces" / "000000-0.json", folder / "traces" / "000001-0.json"
    sides = json.loads(old.read_text())
    old.write_text(json.dumps({side: [{**event, "draft": []} for event in sides[side]] for side in sides}))
    torn.write_text(torn.read_text()[:100])
    (folder / "traces" / "000002-0.json.partial").write_text("{")
    results = load(tmp_path)
    forwards = results.forwards()
    assert set(forwards["index"]) == {0, 2}
    assert not any(forwards[forwards["index"] == 0]["draft_confidences"])
    ((name, reason),) = results.left_out
    assert name == folder.name
    assert reason.startswith("traces/000001-0.json: cannot be read (JSONDecodeError")


@pytest.mark.parametrize(
    ("field", "value"), [("picks", [[1, 2]]), ("rows", "many"), ("draft", [1]), ("kind", 3), ("drafted", None)]
)
def test_a_trace_of_odd_values_leaves_the_others(tmp_path: Path, field: str, value: object) -> None:
    folder = write_run(tmp_path, prompts=2, traces=True)
    odd = folder / "traces" / "000000-0.json"
    sides = json.loads(odd.read_text())
    sides["decoder"][0][field] = value
    odd.write_text(json.dumps(sides))
    results = load(tmp_path)
    assert set(results.forwards()["index"]) == {1}
    ((name, reason),) = results.left_out
    assert name == folder.name
    assert reason.startswith("traces/000000-0.json: cannot be read (")
