"""What tables say: who is the best, who is marked, and what never stands side by side."""

import csv
from pathlib import Path

from ssd.report import load
from ssd.report.comparable import groups
from ssd.report.tables import circumstances, forwards, hops, identity, left_out, main, trees
from ssd.report.tables.catalogue import TABLES, write
from ssd.report.tables.table import Cell, Table
from tests.report.synthetic import write_run


def column(table: Table, head: str) -> list[Cell]:
    place = table.heads.index(head)
    return [row[place] for section in table.sections for row in section.rows]


def test_lossy_and_broken_decoders_are_marked(tmp_path: Path) -> None:
    write_run(tmp_path, "ssd", prompts=4)
    write_run(tmp_path, "freedave", prompts=4, differing=2)
    write_run(tmp_path, "fast_dllm", prompts=4, differing=2)
    table = main.table(load(tmp_path))
    assert table is not None
    marks = {cell.text: cell.marks for cell in column(table, "decoder")}
    assert marks == {"ssd": (), "freedave": ("‡",), "fast_dllm": ("†",)}
    assert [note[0] for note in table.notes] == ["†", "‡"]


def test_other_circumstances_are_another_section(tmp_path: Path) -> None:
    others = ({"device_name": "NVIDIA A100"}, {"libraries": {"torch": "2.9.0"}}, {"attention_backend": "flash"})
    write_run(tmp_path, "ssd", prompts=2)
    for environment in others:
        write_run(tmp_path, "freedave", prompts=2, environment=environment)
    for runtime in ({"dtype": "float32"}, {"batch_size": 8}, {"numerics": "locked"}):
        write_run(tmp_path, "spiffy", prompts=2, runtime=runtime)
    results = load(tmp_path)
    for name in ("main", "forwards", "identity"):
        table = TABLES[name](results)
        assert table is not None
        assert [len(section.rows) for section in table.sections] == [1] * 7
        titles = [section.title for section in table.sections]
        assert len(set(titles)) == 7
        for words in ("NVIDIA A100", "torch 2.9.0", "attention flash", "float32", "batch 8", "numerics locked"):
            assert sum(words in title for title in titles) == 1
    table = circumstances.table(results)
    assert table is not None
    assert sum(int(cell.text) for cell in column(table, "runs")) == 7


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
    assert table.notes == ("a commit bbbbbbb with uncommitted changes (1234567)", "b commit aaaaaaa")
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


def test_trees_hops_forwards_and_identity(tmp_path: Path) -> None:
    for depth, width in ((4, 2), (4, 1), (1, 1)):
        write_run(tmp_path, "ssd", prompts=3, options={"depth": depth, "width": width, "builder": "kary"})
    write_run(tmp_path, "stepwise", prompts=3, chain=True)
    results = load(tmp_path)
    tables = [module.table(results) for module in (trees, hops, forwards, identity)]
    assert all(table is not None for table in tables)
    tree, hop, kinds, same = (table for table in tables if table is not None)
    assert list(zip(*([cell.text for cell in column(tree, head)] for head in ("depth", "width")), strict=True)) == [
        ("1", "1"), ("4", "1"), ("4", "2"),
    ]  # fmt: skip
    assert [cell.text for cell in column(hop, "hop")] == [
        "no cache → cache", "cache → decoder", "no cache → decoder",
    ]  # fmt: skip
    assert "verifier" not in kinds.heads
    assert column(kinds, "× reference")[0].text == "1.00"
    assert [cell.text for cell in column(same, "identical")] == ["3"] * 4


def test_left_out_tells_of_unfinished_and_unreadable_runs(tmp_path: Path) -> None:
    failed = write_run(tmp_path, prompts=2, status="failed")
    corrupt = write_run(tmp_path, "freedave", prompts=2)
    (corrupt / "config.yaml").write_text("[")
    table = left_out.table(load(tmp_path))
    assert table is not None
    reasons = {row[0].text: row[1].text for row in table.sections[0].rows}
    assert "2 samples stored" in reasons[failed.name]
    assert "CUDA error" in reasons[failed.name]
    assert reasons[corrupt.name].startswith("config.yaml: cannot be read")


def test_nothing_to_make_a_table_of(tmp_path: Path) -> None:
    results = load(tmp_path)
    assert [make(results) for make in TABLES.values()] == [None] * len(TABLES)


def test_the_csv_has_all_digits(tmp_path: Path) -> None:
    write_run(tmp_path / "results", "ssd", prompts=3)
    results = load(tmp_path / "results")
    table = main.table(results)
    assert table is not None
    files = write(table, tmp_path / "tables")
    assert [file.name for file in files] == ["main.csv", "main.md", "main.tex"]
    with files[0].open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["speedup.ratio"]) == results.runs["speedup.ratio"][0]
    assert row["run_id"] == results.runs["run_id"][0]
