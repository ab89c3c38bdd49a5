"""Results folders that are half-written, torn, corrupt or old: what can be read is kept, the rest is named."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssd.report.results import load
from ssd.report.tables import left_out
from tests.effort import examples
from tests.report.synthetic import write_run
from tests.report.test_results import lines_of

BAD_LINES = (
    b"not json",
    b"{}",
    b'{"index": 1}',
    b'{"index": "one", "identical": true}',
    b"[1, 2]",
    b"\xff\xfe",
    b"null",
    b"",
)


@pytest.mark.parametrize("name", ["prompts", "responses", "nfe", "accuracy", "compared_with", "claims_lossless"])
@pytest.mark.parametrize("gone", [True, False])
def test_a_summary_without_what_every_run_has(tmp_path: Path, name: str, gone: bool) -> None:
    folder = write_run(tmp_path / "results", prompts=2)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, name: None} if not gone else without(summary, name)))
    results = load(tmp_path / "results")
    assert results.done.empty
    ((folder_name, reason),) = left_out.reasons(results)
    assert folder_name == folder.name
    assert reason.startswith(f"summary.json: without {name}")
    other = write_run(tmp_path / "results", "stepwise", prompts=2)
    assert list(load(tmp_path / "results").done["run_id"]) == [other.name]


def without(values: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}


def test_status_of_runs_that_have_not_finished(tmp_path: Path) -> None:
    for status in ("done", "failed", "unfinished"):
        write_run(tmp_path / "results", prompts=2, status=status, options={"depth": len(status)})
    results = load(tmp_path / "results")
    runs = results.runs.set_index("status")
    assert set(runs.index) == {"done", "failed", "unfinished"}
    assert runs["error"]["failed"] == "RuntimeError: CUDA error: unspecified launch failure"
    assert runs["speedup.ratio"].isna().to_dict() == {"done": False, "failed": True, "unfinished": True}
    assert len(results.samples) == 6
    assert list(results.done["status"]) == ["done"]
    assert results.left_out == []


def test_a_torn_last_line_is_told(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=4, status="unfinished")
    content = (folder / "samples.jsonl").read_bytes()
    (folder / "samples.jsonl").write_bytes(content[:-200])
    results = load(tmp_path)
    assert list(results.samples["index"]) == [0, 1, 2]
    assert results.left_out == [(folder.name, "samples.jsonl: its last line is torn")]


@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=st.lists(st.tuples(st.integers(0, 6), st.sampled_from(BAD_LINES)), max_size=4))
def test_bad_lines_are_left_out_and_no_others(tmp_path: Path, bad: list[tuple[int, bytes]]) -> None:
    root = tmp_path / "results"
    shutil.rmtree(root, ignore_errors=True)
    folder = write_run(root, prompts=6, status="unfinished")
    lines = [*(folder / "samples.jsonl").read_bytes().splitlines()]
    for place, line in bad:
        lines.insert(place, line)
    (folder / "samples.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    results = load(root)
    assert list(results.samples["index"]) == [0, 1, 2, 3, 4, 5]
    numbers = [number for number, line in enumerate(lines, start=1) if line in BAD_LINES]
    if not numbers:
        assert results.left_out == []
        return
    shown = ", ".join(map(str, numbers[:3])) + (", ..." if len(numbers) > 3 else "")
    words = "line is no sample" if len(numbers) == 1 else "lines are no samples"
    ((name, reason),) = results.left_out
    assert name == folder.name
    assert reason.startswith(f"samples.jsonl: {len(numbers)} {words} ({shown}); repeat the run's command with repair=t")


def test_lines_and_summaries_of_another_schema_are_left_out_with_the_remedy(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=3)
    lines = lines_of(folder)
    lines[1]["schema"] = 2
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "schema": 2}))
    results = load(tmp_path)
    assert list(results.samples["index"]) == [0, 2]
    assert results.done.empty
    remedy = "measure the run anew with overwrite=true"
    assert results.left_out == [
        (folder.name, f"summary.json: schema 2, this version reads schema 1; {remedy}"),
        (folder.name, f"samples.jsonl: 1 lines are not of schema 1; {remedy}"),
    ]


def test_corrupt_and_missing_files(tmp_path: Path) -> None:
    names = {}
    for place, name in enumerate(("config.yaml", "summary.json", "environment.json", "samples.jsonl")):
        folder = write_run(tmp_path, prompts=2, options={"depth": place + 1})
        (folder / name).write_text("{ torn")
        names[name] = folder.name
    missing = write_run(tmp_path, prompts=2, options={"depth": 9})
    (missing / "config.yaml").unlink()
    headless = write_run(tmp_path, prompts=2, options={"depth": 10})
    (headless / "config.yaml").write_text("decoder: 3\n")
    results = load(tmp_path)
    reasons = dict(results.left_out)
    assert set(reasons) == {*names.values(), missing.name, headless.name}
    assert all("\n" not in reason for reason in reasons.values())
    assert reasons[missing.name] == "config.yaml: missing; measure the run anew with overwrite=true"
    assert "decoder.name" in reasons[headless.name]
    assert set(results.runs["run_id"]) == {names["summary.json"], names["environment.json"], names["samples.jsonl"]}
    status = results.runs.set_index("run_id")["status"]
    assert status[names["summary.json"]] == "unfinished"
    assert [folder for folder, _ in left_out.reasons(results)].count(names["summary.json"]) == 1
    assert status[names["environment.json"]] == "done"
    assert names["samples.jsonl"] not in set(results.samples["run_id"])


def test_folders_that_are_no_runs_are_passed_over(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=2)
    for name in ("references", "published", "reference", ".hydra"):
        (tmp_path / name).mkdir()
    (tmp_path / "references" / "lines.jsonl").write_text("{}\n")
    (tmp_path / "published" / "ssd.csv").write_text("paper\n")
    (tmp_path / "multirun.yaml").write_text("")
    results = load(tmp_path)
    assert list(results.runs["run_id"]) == [folder.name]
    assert results.left_out == []


def test_parquet_that_cannot_be_read(tmp_path: Path) -> None:
    write_run(tmp_path / "results", prompts=2)
    load(tmp_path / "results").to_parquet(tmp_path / "frames")
    (tmp_path / "frames" / "samples.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(ValueError, match=r"samples.parquet: cannot be read .*--frames"):
        load(tmp_path / "frames")
