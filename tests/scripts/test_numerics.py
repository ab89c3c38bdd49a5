"""The table of runtime.numerics, over a random checkpoint."""

import json

import pytest

from scripts.numerics import main, parse, planned
from ssd.decoding.cache_policy import plain_caches
from tests.checkpoints import write_tiny_checkpoint


@pytest.mark.slow
def test_every_dtype_and_mode_gets_its_rows(tmp_path, capsys):
    folder = write_tiny_checkpoint(tmp_path / "model", "llada")
    words = [f"model.path={folder}", "runtime.threads=1", "generation.gen_length=8", "generation.block_length=8"]
    main(["--dtypes", "float32", "--prompts", "2", "--nodes", "3", "--json", str(tmp_path / "numerics.json"), *words])
    lines = capsys.readouterr().out.splitlines()
    caches = len(plain_caches("prompt"))
    assert sum("locked forward" in line and line.endswith("yes  yes  yes") for line in lines) == caches
    table = [line.split() for line in lines[-9:]]
    assert [row[1] for row in table] == ["native"] * 3 + ["locked"] * 3 + ["float64"] * 3
    assert [row[2] for row in table] == ["stepwise", "chain", "best_first"] * 3
    assert [row[3] for row in table if row[1] == "locked"] == ["2/2"] * 3
    stored = json.loads((tmp_path / "numerics.json").read_text())
    assert [
        (row["numerics"], row["decoder"], f"{row['identical']}/{row['prompts']}") for row in stored["identity"]
    ] == [tuple(row[1:4]) for row in table]
    assert sum(row["what"].startswith("locked") and row["of_number"] for row in stored["independence"]) == caches
    assert stored["environment"]["threads"] == 1
    assert stored["config"]["nodes"] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dtypes", "float32,int8"], "--dtypes int8: expected some of float64, float32, bfloat16, float16"),
        (["--nodes", "1"], "--nodes 1: expected at least 2"),
    ],
)
def test_what_makes_no_sense_is_refused(words, message):
    with pytest.raises(ValueError, match=message):
        parse(words)


def test_fewer_prompts_than_asked_for_are_not_passed_off_as_all():
    with pytest.raises(ValueError, match="--prompts 9: tiny_math has only 4"):
        planned(parse(["--prompts", "9", "task=tiny_math", "task.documents=4"]))
    assert len(planned(parse(["--prompts", "120"])).documents) == 120
