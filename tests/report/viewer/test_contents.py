"""scripts/trace.py as a user runs it, and the data that it embeds; no browser is needed."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from ssd.commands.trace import main
from ssd.config.plan import make_plan
from ssd.report.viewer.page import embedded
from ssd.report.viewer.texts import visible
from ssd.run.runner import run
from tests.checkpoints import write_tiny_checkpoint
from tests.runs import composed, lines_of, short_words


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "llada", "llada")


@pytest.fixture(scope="module")
def traced(checkpoint, tmp_path_factory) -> Path:
    return measured(checkpoint, tmp_path_factory.mktemp("traced"), "runtime.traces=true")


@pytest.fixture
def folder(traced, tmp_path) -> Path:
    """A run's folder that a test may change."""
    return shutil.copytree(traced, tmp_path / traced.name)


def measured(checkpoint: Path, results: Path, *words: str) -> Path:
    """The folder of a run over three prompts."""
    plan = make_plan(composed(*short_words(checkpoint, "llada", results), "runtime.warmup=0", *words))
    return results / run(plan)["run_id"]


def data_of(file: Path) -> dict:
    return json.loads(file.read_text().split('type="application/json">')[1].split("</script>")[0])


def test_a_page_holds_the_samples_that_were_asked_for(folder, tmp_path, capsys):
    assert main([folder.name, "--results", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"{folder / 'trace.html'}: 3 of 3 samples, 0.")
    assert [sample["index"] for sample in data_of(folder / "trace.html")["samples"]] == [0, 1, 2]
    for words, expected in ((["--first", "2"], [0, 1]), (["--samples", "2,0"], [0, 2])):
        file = tmp_path / "page.html"
        assert main([str(folder), *words, "--out", str(file)]) == 0
        assert [sample["index"] for sample in data_of(file)["samples"]] == expected
        assert "2 of 3 samples" in capsys.readouterr().out


def test_the_data_are_the_traces(folder):
    assert main([str(folder)]) == 0
    data = data_of(folder / "trace.html")
    stored = json.loads((folder / "traces" / "000001-0.json").read_text())
    for side in ("reference", "decoder"):
        shown = data["samples"][1]["sides"][side]["events"]
        assert [event["kind"] for event in shown] == [event["kind"] for event in stored[side]]
        for event, original in zip(shown, stored[side], strict=True):
            assert [pick[:2] for pick in event["picks"]] == [pick[:2] for pick in original["picks"]]
            assert [pick[2] for pick in event["picks"]] == pytest.approx([p[2] for p in original["picks"]], abs=1e-5)
            assert [node["picks"] for node in event["draft"]] == [node["picks"] for node in original["draft"]]
    assert {str(token) for token in data["samples"][1]["sides"]["decoder"]["ids"]} <= set(data["texts"])


def test_the_page_has_the_number_of_prompt_tokens_in_the_first_block(folder):
    """None on the prompt's grid; on an absolute one what is behind the last border."""
    config = yaml.safe_load((folder / "config.yaml").read_text())
    lengths = [len(line["prompt_ids"]) for line in lines_of(folder)]
    assert len({length % 8 for length in lengths}) > 1
    for grid, expected in (("prompt", [0] * 3), ("absolute", [length % 8 for length in lengths])):
        config["generation"]["grid"] = grid
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        assert main([str(folder)]) == 0
        shown = data_of(folder / "trace.html")["samples"]
        assert [sample["prompt_in_first_block"] for sample in shown] == expected


def test_tokens_are_ids_where_the_tokenizer_is_gone(folder, capsys):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["path"] = "gone/model"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert main([str(folder)]) == 0
    assert "tokens are shown as ids" in capsys.readouterr().out
    assert data_of(folder / "trace.html")["texts"] == {}


@pytest.mark.slow
def test_what_cannot_be_shown_is_told_in_one_line(checkpoint, folder, tmp_path, capsys):
    without = measured(checkpoint, tmp_path / "without")
    (folder / "traces" / "000002-0.json").write_text('{"reference": [')
    capsys.readouterr()
    for words, told in (
        ([str(without)], f"{without}: no forwards are stored for these samples; measure the run again with runtime."),
        ([str(folder)], f"{folder / 'traces' / '000002-0.json'}: not a trace (JSONDecodeError"),
        ([str(folder), "--samples", "1,7"], "--samples: the run has no sample 7; expected indices of its 3 samples, 0"),
        (["nothing"], "nothing: no such run; "),
        (
            [str(folder), "--first", "1", "--out", str(tmp_path / "no" / "page.html")],
            f"{tmp_path / 'no' / 'page.html'} cannot",
        ),
    ):
        assert main(words) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith(f"error: {told}")
        assert captured.err.count("\n") == 1
    assert main([str(folder), "--first", "2"]) == 0, "the damaged trace is none of these"


def test_a_sample_without_its_trace_or_its_text_is_named(folder, capsys):
    (folder / "traces" / "000001-0.json").unlink()
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    del lines[2]["decoder"]["text"]
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for samples, told in (
        ("0,1", "--samples: no forwards are stored for sample 1; "),
        ("0,2", f"{folder / 'samples.jsonl'}: sample 2 is not whole (KeyError: 'text'); "),
    ):
        assert main([str(folder), "--samples", samples]) == 2
        assert capsys.readouterr().err.startswith(f"error: {told}")
    (folder / "samples.jsonl").write_text("")
    assert main([str(folder)]) == 2
    samples = folder / "samples.jsonl"
    assert capsys.readouterr().err == f"error: {samples}: no samples yet; the run has not audited its first prompt\n"


@pytest.mark.parametrize("words", [[], ["run", "--first", "0"], ["run", "--samples", "a"], ["run", "--samples", ""]])
def test_what_cannot_work_is_refused(words):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (" four", "␣four"),
        ("\n\t\r", "⏎⇥␍"),
        ("a\u200bb", "a\\u200bb"),
        ("\u202eabc", "\\u202eabc"),
        ("\x00", "\\u0000"),
        ("日本 é", "日本␣é"),
        ("<b>&", "<b>&"),
    ],
)
def test_every_character_of_a_token_is_visible(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["</script>", "<!--<script>", "\u2028\u2029", "\ud800", "]]>", "é"])
def test_embedded_data_cannot_leave_its_element(text):
    written = embedded({text: text})
    assert "<" not in written
    assert written.isascii()
    assert json.loads(written) == {text: text}
