"""What never stands side by side, and how it is told apart."""

import re
from pathlib import Path

import pandas as pd
import yaml

from ssd.report.groups import groups, notes_of
from ssd.report.results import load
from ssd.report.run_labels import labelled
from ssd.report.tables import circumstances, main
from ssd.report.tables.catalogue import TABLES
from tests.report.synthetic import write_run
from tests.report.test_tables import column


def test_other_circumstances_are_another_section(tmp_path: Path) -> None:
    others = (
        {"device_name": "NVIDIA A100"}, {"libraries": {"torch": "2.9.0"}}, {"attention_backend": "flash"},
        {"cuda": "12.8"}, {"checkpoint": "f" * 16},
    )  # fmt: skip
    write_run(tmp_path, "ssd", prompts=2)
    for environment in others:
        write_run(tmp_path, "freedave", prompts=2, environment=environment)
    for runtime in ({"dtype": "float32"}, {"batch_size": 8}, {"numerics": "locked"}, {"engine": "graph"}):
        write_run(tmp_path, "spiffy", prompts=2, runtime=runtime)
    results = load(tmp_path)
    for name in ("main", "forwards", "identity"):
        table = TABLES[name].make(results)
        assert table is not None
        assert [len(section.rows) for section in table.sections] == [1] * 10
        titles = [section.title for section in table.sections]
        assert len(set(titles)) == 10
        (number,) = re.findall(r"checkpoint (\d): fffffff", " ".join(table.notes))
        told = (
            "NVIDIA A100",
            "torch 2.9.0",
            "attention flash",
            "CUDA 12.8",
            f"checkpoint {number}",
            "float32",
            "batch 8",
        )
        for words in (*told, "numerics locked", "engine graph"):
            assert sum(words in title for title in titles) == 1, words
    table = circumstances.table(results)
    assert table is not None
    assert sum(int(cell.text) for cell in column(table, "runs")) == 10
    assert [cell.text for cell in column(table, "CUDA")].count("12.8") == 1
    assert "Python" not in table.heads
    assert table.notes == ("Of all runs: threads 8; Python 3.11.7; uncommitted changes no.",)
    assert set(table.frame["environment.python"]) == {"3.11.7"}


def test_runs_against_another_reference_are_another_section(tmp_path: Path) -> None:
    write_run(tmp_path, "ssd", prompts=3)
    write_run(tmp_path, "stepwise", prompts=3)
    write_run(tmp_path, "psd", prompts=3, reference="stepwise decoding, threshold 0.9")
    results = load(tmp_path)
    for name in ("main", "forwards", "identity"):
        table = TABLES[name].make(results)
        assert table is not None
        titles = {tuple(row[0].text for row in section.rows): section.title for section in table.sections}
        assert set(titles) == {("stepwise", "ssd"), ("psd",)}
        assert "against stepwise decoding, threshold 0.9" in titles["psd",]
        assert "against" not in titles["stepwise", "ssd"]
    table = main.table(results)
    assert table is not None
    assert not any(
        cell.bold for section in table.sections for row in section.rows for cell in row if len(section.rows) == 1
    )


def test_models_of_two_names_are_told_by_their_names_alone(tmp_path: Path) -> None:
    write_run(tmp_path, "ssd", prompts=2)
    write_run(tmp_path, "ssd", "dream_tiny", prompts=2, environment={"checkpoint": "f" * 16})
    assert all("checkpoint" not in group.title for group in groups(load(tmp_path).runs))


def test_other_prompts_are_another_section_with_another_title(tmp_path: Path) -> None:
    for decoder, asked in (("ssd", "same"), ("freedave", "same"), ("ssd", "other")):
        folder = write_run(tmp_path, decoder, prompts=2, options={"depth": len(asked)})
        config = (folder / "config.yaml").read_text()
        sha256 = next(line for line in config.splitlines() if "sha256" in line)
        (folder / "config.yaml").write_text(config.replace(sha256, f"  sha256: {asked}{'0' * 8}"))
    assert sorted(len(group.rows) for group in groups(load(tmp_path).runs)) == [1, 2]
    assert len({group.title for group in groups(load(tmp_path).runs)}) == 2


def test_commits_are_footnotes(tmp_path: Path) -> None:
    write_run(tmp_path, "ssd", prompts=2)
    write_run(tmp_path, "freedave", prompts=2, environment={"commit": "b" * 40, "changes": "1234567890"})
    write_run(tmp_path, "ssd", task="tiny_mbpp", prompts=2)
    table = main.table(load(tmp_path))
    assert table is not None
    assert [len(section.rows) for section in table.sections] == [2, 1]
    assert table.notes == (
        "a commit bbbbbbb with uncommitted changes (1234567)",
        "b commit aaaaaaa",
        "Throughout: NVIDIA H100 80GB HBM3, bfloat16, gen_length 32, block_length 16, cache dual.",
        "Intervals of fewer than 20 prompts or timed batches mean little.",
    )
    assert [section.title for section in table.sections] == ["llada_tiny, tiny_math", "llada_tiny, tiny_mbpp"]
    assert [cell.marks for cell in column(table, "decoder")] == [("b",), ("a",), ()]


def test_labels_tell_what_differs_in_order(tmp_path: Path) -> None:
    for depth in (16, 2, "auto"):
        write_run(tmp_path, "ssd", prompts=2, options={"depth": depth})
    write_run(tmp_path, "ssd", prompts=2, options={"depth": 2}, timed=False)
    write_run(tmp_path, "ssd", prompts=2, options={"depth": 2}, chain=True)
    write_run(tmp_path, "stepwise", prompts=2)
    (group,) = groups(load(tmp_path).runs)
    labels = list(group.rows["label"])
    assert (labels[0], labels[-2:]) == ("stepwise", ["ssd depth=16", "ssd depth=auto"])
    assert set(labels[1:4]) == {"ssd depth=2", "ssd depth=2 untimed", "ssd depth=2 reference=chain"}


def test_a_commit_rule_is_named_and_its_options_only_where_its_runs_differ(tmp_path: Path) -> None:
    rules = [{"threshold": 0.9, "kl_threshold": 0.01}, {"threshold": 0.8, "kl_threshold": 0.01}, {"gamma": 0.1}]
    classes = ["klass.KLASS", "klass.KLASS", "eb.EntropyBounded"]
    for rule, name in zip(rules, classes, strict=True):
        write_run(tmp_path, "psd", options={"commit": {"_target_": f"baselines.rules.{name}"} | rule})
    (group,) = groups(load(tmp_path).runs)
    labels = ["psd commit=eb", "psd commit=klass commit.threshold=0.8", "psd commit=klass commit.threshold=0.9"]
    assert [run.label for run in group.runs] == labels


def test_a_threshold_that_a_commit_rule_replaces_is_not_shown(tmp_path: Path) -> None:
    rule = {"commit": {"_target_": "baselines.rules.eb.EntropyBounded"}}
    for threshold, chosen in ((0.8, {}), (0.9, {}), (0.9, rule)):
        write_run(tmp_path, "fast_dllm", options={"threshold": threshold, "factor": 1.0} | chosen)
    results = load(tmp_path)
    labels = ["fast_dllm commit=eb", "fast_dllm threshold=0.8", "fast_dllm threshold=0.9"]
    assert sorted(run.label for run in results.groups[0].runs) == labels
    assert results.runs["config.decoder.threshold"].isna().sum() == 1


def test_a_commit_rule_without_a_class_is_shown(tmp_path: Path) -> None:
    for target in (None, "baselines.rules.eb.EntropyBounded"):
        write_run(tmp_path, "psd", options={"commit": {"_target_": target}})
    (group,) = groups(load(tmp_path).runs)
    assert [run.label for run in group.runs] == ["psd commit=None", "psd commit=eb"]


def edit(folder: Path, **changes: object) -> None:
    """Change options of a stored run's configuration; a name is group_option."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for name, value in changes.items():
        group, _, option = name.partition("_")
        config[group][option] = value
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


def test_paths_are_told_by_the_parts_that_differ_and_hide_the_hashes_of_their_weights(tmp_path: Path) -> None:
    for depth, path in enumerate(("/data/a/step_1/weights", "/data/a/step_2/weights"), start=1):
        folder = write_run(
            tmp_path, "ssd", prompts=2, options={"depth": depth}, environment={"checkpoint": f"{depth}" * 16}
        )
        edit(folder, model_path=path)
    titles = [group.title for group in groups(load(tmp_path).runs)]
    assert titles == ["llada_tiny, tiny_math, path step_1/weights", "llada_tiny, tiny_math, path step_2/weights"]


def test_labels_have_no_paths_and_no_ids(tmp_path: Path) -> None:
    for graph in ("/a/folder/of/graphs/four.json", "/a/folder/of/graphs/nine.json"):
        write_run(tmp_path, "spiffy", prompts=2, options={"graph": graph})
    for warmup in (1, 2):
        write_run(tmp_path, "ssd", prompts=2, runtime={"warmup": warmup})
    for threads in (1, 2):
        write_run(tmp_path, "freedave", prompts=2, environment={"workers": threads})
    (group,) = groups(load(tmp_path).runs)
    assert list(group.rows["label"]) == [
        "ssd runtime.warmup=1", "ssd runtime.warmup=2", "freedave #1", "freedave #2",
        "spiffy graph=four.json", "spiffy graph=nine.json",
    ]  # fmt: skip


def test_sets_of_prompts_are_numbered(tmp_path: Path) -> None:
    for sha256 in ("a" * 64, "b" * 64):
        folder = write_run(tmp_path, "ssd", prompts=2, options={"depth": int(sha256, 16) % 7})
        edit(folder, task_sha256=sha256)
    found = groups(load(tmp_path).runs)
    assert sorted(group.title for group in found) == [
        f"llada_tiny, tiny_math, prompt set {number}" for number in (1, 2)
    ]
    assert re.search(r"prompt set 1: (aaaaaaa|bbbbbbb); prompt set 2: ", " ".join(notes_of(found)))


def test_drafts_in_later_blocks_are_in_a_label_also_where_all_runs_have_them() -> None:
    options = {"config.decoder.depth": [4, 8], "config.decoder.lookahead": [1, 1]}
    rows = pd.DataFrame({"decoder": "ssd", "hops": None, "config.runtime.timing": True} | options)
    assert list(labelled(rows)["label"]) == ["ssd depth=4 lookahead=1", "ssd depth=8 lookahead=1"]
    assert list(labelled(rows.assign(**{"config.decoder.lookahead": 0}))["label"]) == ["ssd depth=4", "ssd depth=8"]
