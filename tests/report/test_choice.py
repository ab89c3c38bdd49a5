"""Which runs a report is about: places, the last grid, options; and forwards counted as published."""

from pathlib import Path

import pytest
import yaml

from ssd.commands.report import main
from ssd.report.choice import choose
from ssd.report.count_as_published import count_as_published
from ssd.report.results import Results, load
from ssd.results.last_grid import keep_grid
from tests.report.synthetic import write_run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Three runs of SSD and one of Fast-dLLM in a folder, and one run in another folder."""
    here = tmp_path / "results"
    found = [write_run(here, options={"depth": depth}, prompts=2, traces=depth == 4) for depth in (2, 4, 8)]
    found.append(write_run(here, "fast_dllm", runtime={"limit": 50}, prompts=2))
    return [*found, write_run(tmp_path / "elsewhere", "psd", prompts=2, traces=True)]


def chosen(found: Results) -> set[str]:
    assert set(found.samples["run_id"]) == set(found.runs["run_id"])
    return set(found.runs["run_id"])


def test_places_are_folders_of_runs_single_runs_and_ids(runs: list[Path]) -> None:
    here = runs[0].parent
    assert chosen(choose([], here, False, [])) == {run.name for run in runs[:4]}
    assert chosen(choose([runs[0].name, str(runs[4])], here, False, [])) == {runs[0].name, runs[4].name}
    every = choose([str(here), str(runs[4].parent), runs[0].name], here, False, [])
    assert chosen(every) == {run.name for run in runs}
    assert len(every.samples) == 2 * len(runs), "a run that is named twice counts once"
    assert set(every.forwards()["run_id"]) == {runs[1].name, runs[4].name}
    with pytest.raises(FileNotFoundError, match="ssd-x: no such folder, and no run id under"):
        choose(["ssd-x"], here, False, [])


def test_an_option_that_one_place_lacks_separates_no_runs(tmp_path: Path) -> None:
    code = write_run(tmp_path / "one", task="tiny_mbpp", prompts=2) / "config.yaml"
    config = yaml.safe_load(code.read_text())
    config["task"]["time_limit_s"] = 10
    code.write_text(yaml.safe_dump(config))
    write_run(tmp_path / "one", prompts=2)
    write_run(tmp_path / "two", "fast_dllm", prompts=2)
    found = choose([str(tmp_path / "one"), str(tmp_path / "two")], tmp_path, False, [])
    assert {group.title: len(group.rows) for group in found.groups} == {
        "llada_tiny, tiny_math": 2,
        "llada_tiny, tiny_mbpp": 1,
    }


def test_the_last_grid_is_chosen(runs: list[Path]) -> None:
    here = runs[0].parent
    with pytest.raises(FileNotFoundError, match="holds no grid; run one first, with -m, or leave --last-grid out"):
        choose([], here, True, [])
    keep_grid(runs[:2])
    assert chosen(choose([str(here)], here, True, [])) == {run.name for run in runs[:2]}
    assert set(choose([], here, True, []).forwards()["run_id"]) == {runs[1].name}


@pytest.mark.parametrize(
    ("words", "places"),
    [
        (["decoder=ssd"], [0, 1, 2]),
        (["decoder=ssd,fast_dllm", "runtime.limit=null"], [0, 1, 2]),
        (["runtime.limit=50"], [3]),
        (["depth=4,8.0"], [1, 2]),
        (["decoder.depth=2", "runtime.timing=true"], [0]),
    ],
)
def test_options_choose_runs(runs: list[Path], words: list[str], places: list[int]) -> None:
    assert chosen(choose([], runs[0].parent, False, words)) == {runs[place].name for place in places}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("decoder", "--where decoder: expected NAME=VALUE, as decoder=ssd or runtime.limit=50"),
        ("decoder=sdd", "--where decoder=sdd: no run has this value; the runs have fast_dllm, ssd"),
        ("runtime.limt=5", "--where runtime.limt: no run has this option; did you mean runtime.limit?"),
    ],
)
def test_a_wrong_word_is_one_line_with_what_there_is(runs: list[Path], word: str, message: str, capsys) -> None:
    assert main([str(runs[0].parent), "--where", word]) == 1
    assert message in capsys.readouterr().err


def test_forwards_counted_as_published(runs: list[Path], tmp_path: Path) -> None:
    """Every made-up response has one block that its refresh filled."""
    found = load(runs[0].parent)
    counted = count_as_published(found)
    for before, after in zip(found.runs.itertuples(), counted.runs.itertuples(), strict=True):
        more = int(before.decoder == "fast_dllm")
        row, other = found.runs.loc[before.Index], counted.runs.loc[after.Index]
        assert other["nfe.decoder"] == pytest.approx(row["nfe.decoder"] + more)
        assert other["nfe.by_kind.decode"] == pytest.approx(row["nfe.by_kind.decode"] + more)
        assert other["nfe.ratio"] == pytest.approx(row["nfe.reference"] / (row["nfe.decoder"] + more))
        assert other["tokens_per_forward.decoder"] == pytest.approx(32 / (row["nfe.decoder"] + more))
        assert other["speedup.ratio"] == row["speedup.ratio"]
    assert main([str(runs[0].parent), "--count-as-published", "--only", "main", "--out", str(tmp_path / "out")]) == 0
    table = (tmp_path / "out" / "tables" / "main.md").read_text()
    assert "§ with the forwards that the published code spends on full blocks" in table
    assert [line.count("§") for line in table.splitlines() if line.startswith("| fast")] == [1]


def test_runs_without_the_number_of_full_blocks_are_named(runs: list[Path]) -> None:
    file = runs[3] / "samples.jsonl"
    file.write_text(file.read_text().replace('"blocks_filled_by_refresh": 1, ', ""))
    with pytest.raises(ValueError, match=f"{runs[3].name} has no number of blocks filled by a refresh; measure it"):
        count_as_published(load(runs[0].parent))
