"""Published figures beside measured ones: only like with like."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from ssd.report.published import beside_measured, published
from ssd.report.results import load
from ssd.report.tables.published import ALONE, table
from tests.report.synthetic import write_run

HUB = "GSAI-ML/LLaDA-8B-Instruct"
FIGURE = {
    "paper": "2505.22618", "table_or_section": "Table 1", "model": HUB, "task": "gsm8k", "num_fewshot": "5",
    "gen_length": "256", "block_length": "32", "method": "fast_dllm", "setting": "prefix cache, batch 1",
    "hardware": "NVIDIA A100 80GB", "metric": "speedup", "value": 8.1, "seen": "read", "note": "",
}  # fmt: skip


def run_of(root: Path, path: str = HUB, **changed: object) -> Path:
    """A run that is like the figure but for what is changed of its generation."""
    folder = write_run(root, "fast_dllm", "llada", "gsm8k", prompts=3)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["path"] = path
    config["task"]["num_fewshot"] = 5
    config["generation"] |= {"gen_length": 256, "block_length": 32, "cache": "prefix", **changed}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def figures(**changed: object) -> pd.DataFrame:
    return pd.DataFrame([{**FIGURE, **changed}])


@pytest.mark.parametrize("path", [HUB, "/data/llada"])
def test_like_beside_like_be_it_a_local_copy(tmp_path: Path, path: str) -> None:
    folder = run_of(tmp_path, path)
    results = load(tmp_path)
    (row,) = beside_measured(results, figures()).to_dict("records")
    assert row["run_id"] == folder.name
    assert row["measured"] == results.runs["speedup.ratio"][0]
    assert row["prompts"] == 3
    accuracy = beside_measured(results, figures(metric="accuracy_percent"))
    assert accuracy["measured"][0] == 100 * results.runs["accuracy.decoder"][0]
    latency = beside_measured(results, figures(metric="latency_s"))
    samples = results.samples
    assert latency["measured"][0] == samples["decoder.latency_s"].mean()
    tokens = beside_measured(results, figures(metric="tokens_per_s"))
    useful = samples["decoder.tokens_useful"].sum() / samples["decoder.time_s"].sum()
    assert tokens["measured"][0] == pytest.approx(useful)
    assert beside_measured(results, figures(metric="tokens_per_s", paper="another"))["run_id"][0] is None


@pytest.mark.parametrize(
    "unlike",
    [
        {"model": "GSAI-ML/LLaDA-1.5"}, {"task": "math"}, {"gen_length": "512"}, {"block_length": ""},
        {"method": "wino"}, {"setting": "no cache, batch 1"}, {"num_fewshot": "0"}, {"model": ""},
        {"setting": "batch 8"}, {"setting": "parallel tau=0.8"}, {"setting": "eos suppress_confidence"},
        {"setting": "temperature=0.5"},
    ],
)  # fmt: skip
def test_a_figure_without_its_like_stands_alone(tmp_path: Path, unlike: dict[str, str]) -> None:
    run_of(tmp_path)
    (row,) = beside_measured(load(tmp_path), figures(**unlike)).to_dict("records")
    assert row["run_id"] is None
    assert pd.isna(row["measured"])


@pytest.mark.parametrize("unlike", [{"steps": 64}, {"temperature": 0.5}])
def test_a_run_with_fewer_steps_or_other_samples_is_beside_nothing(tmp_path: Path, unlike: dict[str, Any]) -> None:
    run_of(tmp_path, **unlike)
    assert beside_measured(load(tmp_path), figures())["run_id"][0] is None


def test_options_that_a_setting_tells(tmp_path: Path) -> None:
    folder = run_of(tmp_path, steps=256)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    told = figures(setting="prefix cache, parallel tau=0.9, batch 1")
    assert beside_measured(load(tmp_path), told)["run_id"][0] == folder.name
    config["decoder"]["rule"] = "factor"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert beside_measured(load(tmp_path), told)["run_id"][0] is None
    config["decoder"]["budget"] = 11
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert beside_measured(load(tmp_path), figures(setting="10 drafts"))["run_id"][0] == folder.name


def test_the_table_says_what_stands_alone(tmp_path: Path) -> None:
    run_of(tmp_path / "alike")
    made = table(load(tmp_path / "alike"))
    assert made is not None
    assert made.sections[0].title == "LLaDA-8B-Instruct, gsm8k"
    write_run(tmp_path / "tiny", "ssd", prompts=2)
    made = table(load(tmp_path / "tiny"))
    assert made is not None
    assert [section.title for section in made.sections] == [ALONE]
    assert "measured" not in made.heads


def test_all_published_figures_are_read() -> None:
    rows = published()
    assert len(rows) > 100
    assert rows["value"].notna().all()
