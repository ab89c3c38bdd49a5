"""results/published: every figure is well-formed, and some are checked against a second typing."""

import csv
import math
import re
from pathlib import Path

import pytest

from tests.data import REPOSITORY, project_files

FOLDER = REPOSITORY / "results" / "published"
FILES = project_files("results/published/*.csv")
COLUMNS = (
    "paper", "table_or_section", "model", "task", "num_fewshot", "gen_length", "block_length",
    "method", "setting", "hardware", "metric", "value", "seen", "note",
)  # fmt: skip
METRICS = {
    "accuracy_percent", "tokens_per_s", "latency_s", "nfe", "nfe_ratio", "speedup", "steps_reduction_percent",
}  # fmt: skip
SEEN = {"read", "review", "second_hand", "inferred"}
TASKS = {"gsm8k", "math", "math500", "humaneval", "mbpp"}
METHODS = {
    "stepwise", "ssd", "fast_dllm", "freedave", "spiffy", "wino", "apd", "autoregressive",
    "eb", "klass", "credit", "localleap", "prophet",
}  # fmt: skip
LLADA = "GSAI-ML/LLaDA-8B-Instruct"
DREAM = "Dream-org/Dream-v0-Instruct-7B"
DREAM_BASE = "Dream-org/Dream-v0-Base-7B"


def read(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_every_source_has_a_file_and_a_line_in_the_readme() -> None:
    names = {
        "apd.csv",
        "caches.csv",
        "commit_rules.csv",
        "fast_dllm.csv",
        "fast_dllm_v2.csv",
        "freedave.csv",
        "llada.csv",
        "sdar.csv",
        "spiffy.csv",
        "ssd.csv",
        "trado.csv",
        "wino.csv",
    }
    assert {file.name for file in FILES} == names
    readme = (FOLDER / "README.md").read_text()
    assert set(re.findall(r"`(\w+\.csv)`", readme)) == names
    for word in (*COLUMNS, *METRICS, *SEEN):
        assert f"`{word}`" in readme


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_rows_are_well_formed(file: Path) -> None:
    with file.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    assert tuple(header) == COLUMNS
    assert rows
    assert {len(row) for row in rows} == {len(COLUMNS)}
    for row in read(file):
        assert math.isfinite(float(row["value"]))
        assert float(row["value"]) > 0
        assert row["metric"] in METRICS
        assert row["seen"] in SEEN
        assert row["method"] in METHODS
        assert row["paper"] == "" or re.fullmatch(r"\d{4}\.\d{5}|[\w-]+/[\w-]+", row["paper"])
        for name in ("num_fewshot", "gen_length", "block_length"):
            assert row[name] == "" or row[name].isdecimal()
        if row["metric"].endswith("percent"):
            assert float(row["value"]) <= 100
        assert all(cell == cell.strip() for cell in row.values())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_row_names_model_task_and_paper_or_says_why_not(file: Path) -> None:
    for row in read(file):
        assert re.fullmatch(r"[\w-]+/[\w.-]+", row["model"]) or "model" in row["note"].lower(), row
        assert row["task"] in TASKS or (row["task"] == "" and "task" in row["note"]), row
        assert row["paper"] or "paper" in row["note"], row


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_no_figure_stands_twice(file: Path) -> None:
    keys = [tuple(cell for name, cell in row.items() if name not in ("value", "note")) for row in read(file)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("name", "where", "value"),
    [
        ("fast_dllm", {"model": LLADA, "task": "gsm8k", "gen_length": "256", "method": "fast_dllm",
                       "setting": "prefix cache, parallel tau=0.9, batch 1", "metric": "accuracy_percent"}, 78.5),
        ("fast_dllm", {"model": LLADA, "task": "gsm8k", "gen_length": "256", "method": "fast_dllm",
                       "setting": "prefix cache, parallel tau=0.9, batch 1", "metric": "tokens_per_s"}, 54.4),
        ("fast_dllm", {"model": LLADA, "task": "gsm8k", "gen_length": "512", "method": "stepwise",
                       "setting": "no cache, batch 1", "metric": "tokens_per_s"}, 3.2),
        ("fast_dllm", {"model": LLADA, "task": "mbpp", "gen_length": "512", "method": "stepwise",
                       "setting": "prefix cache, batch 1", "metric": "accuracy_percent"}, 13.4),
        ("fast_dllm", {"model": LLADA, "task": "humaneval", "gen_length": "256", "method": "fast_dllm",
                       "setting": "no cache, parallel tau=0.9, batch 1", "metric": "tokens_per_s"}, 101.5),
        ("fast_dllm", {"model": DREAM_BASE, "task": "math", "gen_length": "256", "method": "stepwise",
                       "setting": "no cache, batch 1", "metric": "accuracy_percent"}, 38.4),
        ("fast_dllm", {"model": DREAM_BASE, "task": "mbpp", "gen_length": "512", "method": "fast_dllm",
                       "setting": "prefix cache, parallel tau=0.9, batch 1", "metric": "tokens_per_s"}, 73.6),
        ("ssd", {"model": DREAM, "method": "ssd", "metric": "tokens_per_s"}, 22.07),
        ("ssd", {"model": LLADA, "method": "ssd", "metric": "speedup"}, 2.11),
        ("freedave", {"model": LLADA, "method": "freedave", "metric": "nfe"}, 633),
        ("freedave", {"model": DREAM, "method": "freedave", "metric": "latency_s"}, 54.4),
        ("freedave", {"model": "GSAI-ML/LLaDA-1.5", "metric": "accuracy_percent"}, 80.97),
        ("spiffy", {"task": "math", "metric": "nfe_ratio"}, 2.89),
        ("wino", {"task": "humaneval", "method": "wino", "metric": "accuracy_percent"}, 42.07),
        ("wino", {"task": "gsm8k", "metric": "speedup"}, 5.66),
        ("apd", {"method": "apd"}, 59),
        ("llada", {"model": LLADA, "task": "gsm8k", "gen_length": "512"}, 68.8),
        ("llada", {"model": "GSAI-ML/LLaDA-1.5", "task": "humaneval"}, 51.2),
        ("commit_rules", {"method": "eb", "setting": "no cache, one block, gamma=0.1", "metric": "nfe"}, 85.3),
        ("commit_rules", {"method": "klass", "model": DREAM, "metric": "accuracy_percent"}, 33),
        ("caches", {"paper": "2505.15781", "model": DREAM_BASE, "task": "gsm8k", "metric": "tokens_per_s",
                    "setting": "dkv_prefill cache"}, 53.6),
        ("caches", {"paper": "2508.02558", "model": LLADA, "setting": "sparse cache", "task": "gsm8k",
                    "metric": "accuracy_percent"}, 77.56),
        ("caches", {"paper": "2508.14148", "task": "mbpp", "setting": "dpad cache, base none",
                    "metric": "latency_s"}, 15.89),
    ],
)  # fmt: skip
def test_figures_typed_a_second_time(name: str, where: dict[str, str], value: float) -> None:
    found = [row for row in read(FOLDER / f"{name}.csv") if where.items() <= row.items()]
    assert [float(row["value"]) for row in found] == [value]


def test_the_table_of_fast_dllm_is_whole() -> None:
    rows = read(FOLDER / "fast_dllm.csv")
    cells = {(row["model"], row["task"], row["gen_length"], row["setting"], row["metric"]) for row in rows}
    assert len(rows) == len(cells) == 2 * 4 * 2 * 4 * 2
    fewshot = {("gsm8k", "5"), ("math", "4"), ("humaneval", "0"), ("mbpp", "3")}
    assert {(row["task"], row["num_fewshot"]) for row in rows} == fewshot
    counts_prompts = [row for row in rows if "prompt tokens are counted" in row["note"]]
    assert len(counts_prompts) == 8
    assert {(row["model"], row["task"], row["metric"]) for row in counts_prompts} == {
        (LLADA, "humaneval", "tokens_per_s")
    }


def test_best_cases_say_so() -> None:
    rows = [row for file in FILES for row in read(file) if row["setting"].startswith("best case")]
    assert len(rows) == 5
    assert all(row["note"].startswith("up to") for row in rows)
