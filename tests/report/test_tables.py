"""What tables say: who is the best, who is marked, and what is left out."""

import csv
from itertools import product
from pathlib import Path

import pytest

from ssd.report.results import load
from ssd.report.tables import forwards, identity, left_out, main, policies, reference_chain, throughput, trees
from ssd.report.tables.catalogue import TABLES, write
from ssd.report.tables.table import Cell, Table
from ssd.report.tables.words import NOTHING
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
    assert [note[0] for note in table.notes] == ["†", "‡", "T", "I"]


def test_trees_hops_forwards_and_identity(tmp_path: Path) -> None:
    for depth, width in ((4, 2), (4, 1), (1, 1)):
        write_run(tmp_path, "ssd", prompts=3, options={"depth": depth, "width": width, "builder": "kary"})
    write_run(tmp_path, "stepwise", prompts=3, chain=True)
    results = load(tmp_path)
    tables = [module.table(results) for module in (trees, reference_chain, forwards, identity)]
    assert all(table is not None for table in tables)
    tree, chain, kinds, same = (table for table in tables if table is not None)
    assert list(zip(*([cell.text for cell in column(tree, head)] for head in ("depth", "width")), strict=True)) == [
        ("1", "1"), ("4", "1"), ("4", "2"),
    ]  # fmt: skip
    assert [cell.text for cell in column(chain, "link")] == [
        "no cache → cache", "cache → decoder", "no cache → decoder",
    ]  # fmt: skip
    assert "verifier" not in kinds.heads
    assert column(kinds, "× reference")[0].text == "1.00"
    assert [cell.text for cell in column(same, "identical")] == ["3"] * 4


@pytest.mark.slow
def test_caches_side_by_side_with_both_identities(tmp_path: Path) -> None:
    for cache, chain in (("dual", True), ("none", False), ("dkv", False)):
        for decoder in ("stepwise", "ssd"):
            options = {
                "cache": cache,
                "cache_options": {"interval": 4 if decoder == "ssd" else 8} if cache == "dkv" else None,
            }
            write_run(tmp_path, decoder, prompts=4, generation=options, chain=chain, differing=2 * (decoder == "ssd"))
    table = policies.table(load(tmp_path))
    assert table is not None
    assert len(table.sections) == 1
    heads = ("cache", "decoder", "identity (%)", "identity without a cache (%)")
    assert list(zip(*([cell.text for cell in column(table, head)] for head in heads), strict=True)) == [
        ("none", "stepwise", "100.0", "100.0"), ("none", "ssd", "50.0", "50.0"),
        ("dkv", "stepwise", "100.0", NOTHING), ("dkv interval=4", "ssd", "50.0", NOTHING),
        ("dual", "stepwise", "100.0", "100.0"), ("dual", "ssd", "50.0", "50.0"),
    ]  # fmt: skip
    write_run(tmp_path / "one", "ssd", prompts=2)
    assert policies.table(load(tmp_path / "one")) is None, "one cache has no other beside it"


def test_throughput_has_each_decoders_batches_side_by_side(tmp_path: Path) -> None:
    for batch, decoder in product((8, 1, 2), ("ssd", "stepwise")):
        write_run(tmp_path, decoder, prompts=4, runtime={"batch_size": batch}, differing=decoder == "ssd")
    write_run(tmp_path, "ssd", prompts=4, runtime={"batch_size": 4}, timed=False)
    results = load(tmp_path)
    table = throughput.table(results)
    assert table is not None
    assert len(table.sections) == 1
    heads = ("decoder", "batch", "identity (%)")
    assert list(zip(*([cell.text for cell in column(table, head)] for head in heads), strict=True)) == [
        *(("stepwise", batch, "100.0") for batch in "128"),
        *(("ssd", batch, "75.0") for batch in "128"),
    ]
    rates, gains = table.frame["responses_per_s"], table.frame["to_smallest_batch"]
    assert list(gains) == pytest.approx([*(rates[:3] / rates[0]), *(rates[3:] / rates[3])])
    seconds = results.samples.groupby("run_id")["decoder.time_s"].sum()
    assert list(rates) == pytest.approx([4 / seconds[run_id] for run_id in table.frame["run_id"]])
    write_run(tmp_path / "one", "ssd", prompts=2)
    assert throughput.table(load(tmp_path / "one")) is None, "one size has no other beside it"


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
    assert [table.make(results) for table in TABLES.values()] == [None] * len(TABLES)


def test_under_locked_numerics_nothing_is_a_speedup(tmp_path: Path) -> None:
    write_run(tmp_path / "results", "ssd", prompts=3, chain=True, runtime={"numerics": "locked"})
    results = load(tmp_path / "results")
    for name, heads in (("main", ("speedup [95 %]", "tokens/s")), ("reference_chain", ("speedup [95 %]",))):
        table = TABLES[name].make(results)
        assert table is not None
        assert {cell.text for head in heads for cell in column(table, head)} == {NOTHING}
        assert (
            table.frame[[key for key in table.frame if key.startswith(("speedup", "tokens_per_s"))]]
            .isna()
            .all(axis=None)
        )


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
    assert (row["claims_lossless"], float(row["identity.algorithmic"])) == ("True", 0)
    assert (row["compared_with"], row["environment.commit"]) == ("stepwise decoding", "a" * 40)
