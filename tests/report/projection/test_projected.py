"""The table of projections, as the command and the report show it."""

import json
from pathlib import Path

import pytest

from ssd.cli import main
from ssd.report.projection.devices import devices
from ssd.report.projection.projected import Target, default_model, obstacles, rows
from ssd.report.results import load
from ssd.report.tables import projected
from ssd.report.tables.catalogue import TABLES
from tests.report.synthetic import write_run


@pytest.fixture
def traced(tmp_path: Path) -> Path:
    return write_run(tmp_path / "results", "ssd", options={"depth": 4}, prompts=3, traces=True)


def output(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(["project", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command_shows_every_device_and_whose_counts_they_are(
    traced: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed, errors = output([str(traced)], capsys)
    assert (status, errors) == (0, "")
    assert "Projected, not measured" in printed
    assert "projected from counts of a tiny model (llada_tiny): llada_tiny, tiny_math" in printed
    assert [f"llada, {device.title}" in printed for device in devices().values()] == [True] * 5
    status, printed, _ = output([traced.name, "--results", str(traced.parent), "--device", "h100,b200"], capsys)
    assert status == 0
    assert [device.title in printed for device in devices().values()] == [False, True, False, True, False]


def test_other_models_engines_and_batches(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, printed, _ = output([str(traced), "--model", "dream", "--engine", "eager", "--batch", "4", "--markdown"], capsys)
    assert printed.startswith("## Projected, not measured\n")
    assert "engine eager. It is a response's share of a batch of 4." in printed
    assert printed.count("| dream, ") == 5


def test_ranges_are_of_the_counts_and_the_speedup_lies_in_their_quotients(traced: Path) -> None:
    results = load(traced.parent)
    found = rows(results, results.done, Target(devices=("a100", "rtx4090"))).set_index("device")
    for side in ("reference_s", "decoder_s", "projected_speedup"):
        assert (found[f"{side}.low"] <= found[f"{side}.high"]).all()
    assert (found["projected_speedup.low"] >= found["reference_s.low"] / found["decoder_s.high"]).all()
    assert (found["projected_speedup.high"] <= found["reference_s.high"] / found["decoder_s.low"]).all()
    assert found.loc["RTX 4090", "reference_s.low"] > found.loc["A100 80 GB", "reference_s.low"]


def test_what_exceeds_a_device_s_memory_is_a_dash(traced: Path) -> None:
    table = projected.table(load(traced.parent), Target(devices=("h100", "rtx4090"), batch=300))
    assert table is not None
    assert [[cell.text for cell in row[2:]] == ["–"] * 3 for row in table.sections[0].rows] == [False, True]
    assert projected.TOO_LARGE in table.notes


def test_unknown_names_list_the_known_ones(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["--device", "tpu"], "--device tpu: expected one of a100, h100, h200, b200, rtx4090"),
        (["--model", "gpt"], "--model gpt: expected one of llada, dream, sdar_1_7b, sdar_4b, sdar_8b, "),
        (["--engine", "vllm"], "--engine vllm: expected one of graph, eager, transformers"),
        (["--batch", "0"], "--batch 0: expected a whole number of at least 1"),
        (
            ["--model", "sdar_4b"],
            f"--model sdar_4b: {traced.name} has another kind of attention; expected one of llada, dream",
        ),
    ):
        status, _, errors = output([str(traced), *words], capsys)
        assert (status, errors.count("\n")) == (1, 1)
        assert errors.startswith(f"error: {expected}")


def test_a_run_without_forwards_is_refused_with_the_remedy(traced: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = write_run(traced.parent, "ssd", options={"depth": 2}, prompts=2)
    begun = write_run(traced.parent, "ssd", options={"depth": 3}, prompts=2, status="unfinished")
    status, _, errors = output([str(bare)], capsys)
    remedy = f"{bare.name}: no forwards are stored; measure the run again with runtime.traces=true"
    assert (status, errors) == (1, f"error: {remedy}\n")
    assert "repeat its command" in obstacles(load(traced.parent))[begun.name]
    status, printed, errors = output([str(traced.parent)], capsys)
    assert status == 0
    assert "depth=4" in printed or "ssd" in printed
    assert errors.startswith("left out: 2 of 3 runs; the first is ")
    with pytest.raises(SystemExit):
        main(["project", str(traced), "--published"])


@pytest.mark.slow
def test_the_report_keeps_projections_apart_from_measurements(traced: Path) -> None:
    write_run(traced.parent, "apd", prompts=2)
    results = load(traced.parent)
    table = TABLES["projected"].make(results)
    assert table is not None
    assert [section.title.partition(":")[0] for section in table.sections] == [
        "projected from counts of a tiny model (llada_tiny)"
    ]
    measured = {"speedup.ratio", "tokens_per_s.decoder", "predicted_speedup"}
    assert not measured & set(table.frame)
    for name, entry in TABLES.items():
        other = entry.make(results)
        assert name == "projected" or other is None or not any("projected" in key for key in other.frame)


def test_the_model_is_of_the_run_s_family(tmp_path: Path) -> None:
    for model in ("dream_tiny", "llada", "mine"):
        write_run(tmp_path, "ssd", model=model, prompts=1, traces=True)
    causal = {"config.generation.grid": "absolute"}
    for model, expected in (("sdar_tiny", "sdar_8b"), ("fast_dllm_v2_tiny", "fast_dllm_v2_7b"), ("llada", "sdar_8b")):
        assert default_model(causal | {"model": model}) == expected
    table = projected.table(load(tmp_path), Target(devices=("a100",)))
    assert table is not None
    found = {section.title.partition(": ")[0]: section.rows[0][1].text for section in table.sections}
    assert found == {
        "projected from counts of a tiny model (dream_tiny)": "dream, A100 80 GB",
        "projected from counts of llada": "llada, A100 80 GB",
        "projected from counts of mine": "llada, A100 80 GB",
    }


def test_frames_project_as_their_runs_do(traced: Path, tmp_path: Path) -> None:
    config = json.loads((traced / "summary.json").read_text())
    assert config["status"] == "done"
    results = load(traced.parent)
    results.to_parquet(tmp_path / "frames")
    ours, theirs = (projected.table(each) for each in (results, load(tmp_path / "frames")))
    assert ours is not None
    assert theirs is not None
    assert ours.sections == theirs.sections
