"""Frames from results folders, compared with the files that they were made from."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ssd.report.lines import SIDES
from ssd.report.results import Results, load
from tests.report.synthetic import write_run

NAMES = ("latency_s", "predicted_s", "correct", "reason", "node_evaluations", "token_rows", "tokens_useful")
LISTS = ("acceptance_lengths", "drafted_by_depth", "accepted_by_depth")


def lines_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def assert_equal(left: Results, right: Results) -> None:
    pd.testing.assert_frame_equal(left.runs, right.runs)
    pd.testing.assert_frame_equal(left.samples, right.samples)
    pd.testing.assert_frame_equal(left.forwards(), right.forwards())
    assert left.left_out == right.left_out


def test_samples_are_the_lines(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=5, repeats=2, chain=True, differing=2)
    samples, lines = load(tmp_path).samples, lines_of(folder)
    assert len(samples) == len(lines) == 10
    for (_, row), line in zip(samples.iterrows(), lines, strict=True):
        assert row["run_id"] == folder.name
        assert (row["index"], row["repeat"], row["seed"]) == (line["index"], line["repeat"], line["seed"])
        assert row["identical"] == line["identical"]
        divergence = line["first_divergence"]
        assert divergence["class"] == row["divergence.class"] if divergence else pd.isna(row["divergence.class"])
        for side in SIDES:
            part = line[side]
            assert [row[f"{side}.{name}"] for name in NAMES] == [part[name] for name in NAMES]
            assert [row[f"{side}.{name}"] for name in LISTS] == [part[name] for name in LISTS]
            assert row[f"{side}.nfe"] == sum(count for kind, count in part["nfe"].items() if kind != "verifier")
            assert row[f"{side}.nfe.verify"] == part["nfe"]["verify"]


def test_texts_and_ids_only_if_asked_for(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=2)
    assert not {"decoder.text", "decoder.response_ids", "target"} & set(load(tmp_path).samples)
    samples, line = load(tmp_path, texts=True).samples, lines_of(folder)[1]
    assert samples["decoder.response_ids"][1] == line["decoder"]["response_ids"]
    assert samples["reference.text"][1] == line["reference"]["text"]
    assert samples["target"][1] == line["target"]


def test_runs_hold_figures_configuration_and_circumstances(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "ssd", options={"depth": 4, "width": None}, prompts=4)
    summary = json.loads((folder / "summary.json").read_text())
    (run,) = (row for _, row in load(tmp_path).runs.iterrows())
    assert (run["run_id"], run["status"], run["decoder"], run["task"]) == (folder.name, "done", "ssd", "tiny_math")
    assert run["speedup.ratio"] == summary["speedup"]["ratio"]
    assert run["nfe.by_kind.verify"] == summary["nfe"]["by_kind"]["verify"]
    assert run["acceptance_length.rate_by_depth"] == summary["acceptance_length"]["rate_by_depth"]
    assert run["config.decoder.depth"] == 4
    assert isinstance(run["config.decoder.depth"], int)
    assert run["config.decoder.width"] is None
    assert run["environment.libraries.torch"] == "2.13.0"


def test_forwards_are_the_events(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=2, traces=True)
    forwards = load(tmp_path).forwards()
    for index in (0, 1):
        trace = json.loads((folder / "traces" / f"{index:06d}-0.json").read_text())
        for side, events in trace.items():
            rows = forwards[(forwards["index"] == index) & (forwards["side"] == side)]
            assert list(rows["forward"]) == list(range(len(events)))
            for event, (_, row) in zip(events, rows.iterrows(), strict=True):
                picks = list(zip(row["positions"], row["tokens"], row["confidences"], strict=True))
                assert picks == [tuple(pick) for pick in event["picks"]]
                assert row["committed"] == len(picks)
                assert (row["drafted"], row["accepted"]) == (sum(event["drafted"]), sum(event["accepted"]))
                assert row["draft_confidences"] == [node["confidence"] for node in event["draft"]]
                assert sum(row["draft_accepted"]) == row["accepted"]
                assert len(row["draft_depths"]) == row["drafted"] == row["nodes"] - 1


def test_an_untimed_run_has_no_times(tmp_path: Path) -> None:
    write_run(tmp_path, prompts=3, timed=False)
    results = load(tmp_path)
    assert results.samples["decoder.latency_s"].isna().all()
    assert results.runs[["speedup.ratio", "tokens_per_s.decoder", "latency_s.p50"]].isna().all(axis=None)
    assert results.runs["nfe.ratio"].notna().all()


def test_a_run_in_the_folder_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(tmp_path, prompts=2, traces=True)
    monkeypatch.chdir(folder)
    assert_equal(load("."), load(folder))
    assert list(load(".").runs["run_id"]) == [folder.name]


def test_a_single_run_and_a_small_copy_of_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "results", prompts=3, traces=True)
    whole = load(tmp_path / "results")
    alone = load(folder)
    assert_equal(alone, whole)
    small = tmp_path / "small" / folder.name
    small.mkdir(parents=True)
    for name in ("config.yaml", "environment.json", "summary.json"):
        shutil.copy(folder / name, small)
    lines = lines_of(folder)
    for line in lines:
        del line["prompt_ids"], line["reference"]["response_ids"], line["decoder"]["response_ids"]
    (small / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    copied = load(tmp_path / "small")
    pd.testing.assert_frame_equal(copied.runs, whole.runs)
    pd.testing.assert_frame_equal(copied.samples, whole.samples)


@pytest.mark.slow
def test_parquet_gives_equal_frames(tmp_path: Path) -> None:
    root = tmp_path / "results"
    write_run(root, "ssd", options={"depth": "auto"}, prompts=3, traces=True)
    write_run(root, "ssd", options={"depth": 4}, prompts=3, chain=True)
    write_run(root, "stepwise", prompts=2, timed=False)
    write_run(root, "freedave", prompts=2, status="failed")
    (root / "corrupt").mkdir()
    (root / "corrupt" / "config.yaml").write_text("[")
    results = load(root)
    assert len(results.forwards())
    results.to_parquet(tmp_path / "frames")
    stored = load(tmp_path / "frames")
    assert_equal(results, stored)
    assert isinstance(stored.samples["decoder.acceptance_lengths"][0], list)
    stored.to_parquet(tmp_path / "again")
    assert_equal(stored, load(tmp_path / "again"))


def test_frames_do_not_hide_the_runs_that_they_are_of(tmp_path: Path) -> None:
    folder = write_run(tmp_path, prompts=2)
    for target in (tmp_path, folder):
        with pytest.raises(ValueError, match="holds runs"):
            load(tmp_path).to_parquet(target)
    assert not list(tmp_path.rglob("*.parquet"))


def test_an_empty_folder_has_the_columns(tmp_path: Path) -> None:
    results = load(tmp_path)
    assert len(results.runs) == len(results.samples) == len(results.forwards()) == 0
    assert {"run_id", "status", "speedup.ratio", "hops"} <= set(results.runs)
    assert {"run_id", "index", "decoder.nfe", "reference.latency_s"} <= set(results.samples)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load(tmp_path / "nowhere")


@pytest.mark.slow
def test_a_report_needs_no_torch(tmp_path: Path) -> None:
    """A report is often made on a machine without it."""
    folder = write_run(tmp_path, prompts=2, traces=True)
    code = f"""
import sys
class NoTorch:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("torch")
sys.meta_path.insert(0, NoTorch)
import ssd.report.write, ssd.report.console.run_table, ssd.report.console.run_list, ssd.report.viewer.contents
from ssd.results.reader import read_run
results = ssd.report.results.load({str(tmp_path)!r})
assert len(results.done) == 1 and len(results.forwards()) and read_run(results.folder({folder.name!r})).summary
ssd.report.console.run_list.print_runs(results.root)
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
