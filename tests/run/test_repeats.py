"""Runs with several responses per prompt, each with a seed of its own."""

import pytest

from ssd.report.console.run_table import print_summary
from tests.runs import lines_of, only_folder


@pytest.mark.slow
def test_several_responses_per_prompt_are_resumed_and_have_seeds_of_their_own(short_run, tmp_path, capsys):
    words = (
        "generation.temperature=1",
        "runtime.repeats=3",
        "runtime.limit=2",
        "generation.seed=5",
    )
    whole = short_run("llada", *words, "runtime.pass_at=[1,3]")
    assert (whole["prompts"], whole["responses"], list(whole["pass_at"])) == (2, 6, ["1", "2", "3"])
    assert whole["identity"]["identical"] == 6, "lossless at every seed"
    folder = only_folder(tmp_path)
    expected = lines_of(folder)
    assert [(line["index"], line["repeat"], line["seed"]) for line in expected] == [
        (index, repeat, 5 + repeat) for index in (0, 1) for repeat in (0, 1, 2)
    ]
    assert len({tuple(line["decoder"]["response_ids"]) for line in expected}) == 6
    print_summary(whole, "title", [1, 3])
    printed = capsys.readouterr().out
    assert "pass@3" in printed
    assert "pass@2" not in printed

    (folder / "done.json").unlink()
    content = (folder / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "samples.jsonl").write_bytes(b"".join(content[:4]) + content[4][:9])
    short_run("llada", *words, "runtime.pass_at=[2]")  # which k are printed is no part of the run's id
    assert only_folder(tmp_path) == folder
    found = lines_of(folder)
    assert found[:4] == expected[:4]
    for again, line in zip(found, expected, strict=True):
        assert again["decoder"]["response_ids"] == line["decoder"]["response_ids"]
    alone = short_run("llada", "generation.temperature=1", "runtime.limit=2", "generation.seed=6")
    seventh = lines_of(tmp_path / alone["run_id"])
    assert [line["decoder"]["response_ids"] for line in seventh] == [
        line["decoder"]["response_ids"] for line in expected if line["repeat"] == 1
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runtime.repeats=2"], "every response to a prompt would be the same; pass generation.temperature"),
        (["runtime.repeats=0"], "runtime.repeats=0: expected a whole number of at least 1"),
        (["runtime.pass_at=[1,2]"], r"runtime.pass_at=\[1, 2\]: expected a list of whole numbers from 1 to"),
        (["runtime.pass_at=1"], "runtime.pass_at=1: expected a list"),
    ],
)
def test_repeats_that_make_no_sense_are_refused(words, message, short_run):
    with pytest.raises(ValueError, match=message):
        short_run("llada", *words)
