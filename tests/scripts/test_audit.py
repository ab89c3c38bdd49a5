"""scripts/audit.py as a user runs it: right decoders pass, planted-wrong ones are caught, broken runs are told."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from ssd.audit import reproduce
from ssd.commands.audit import main
from ssd.config.plan import make_plan
from ssd.measure.engines import as_decoded
from ssd.modeling.batch_invariant import BatchInvariantModel
from ssd.run.runner import run
from tests.checkpoints import write_tiny_checkpoint
from tests.data import REPOSITORY
from tests.effort import some
from tests.planted import WRONG
from tests.runs import composed, short_words

PLANTED = [*(kind.__name__ for kind in WRONG), "RightTokensInAnotherOrder", "DraftsBeyondTheBlock"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "llada", "llada")


def measured(checkpoint: Path, results: Path, *overrides: str) -> Path:
    """The folder of a run over two prompts."""
    words = [*short_words(checkpoint, "llada", results), "runtime.dtype=float32", "runtime.limit=2"]
    summary = run(make_plan(composed(*words, *overrides)))
    return results / summary["run_id"]


def planted(name: str) -> list[str]:
    """The words for a decoder of tests/planted.py."""
    options = ["decoder=freedave", "decoder.eager=true"] if name == "DraftsBeyondTheBlock" else ["decoder.depth=4"]
    return [*options, f"decoder._target_=tests.planted.{name}"]


def errors(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("error: ")]


@pytest.mark.slow
def test_a_right_decoder_passes_and_is_reproduced(checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path)
    assert main([folder.name, "--results", str(tmp_path), "--replay"]) == 0
    printed = capsys.readouterr().out
    assert "2 samples, claims to be lossless" in printed
    assert "replay: 2 samples decoded again, 0 differences" in printed
    report = json.loads((folder / "audit.json").read_text())
    assert report["identity"] == {"rate": 1.0, "identical": 2, "numeric": 0, "algorithmic": 0}
    assert report["fails"] is False


@pytest.mark.slow
@pytest.mark.parametrize("numerics", ["locked", "float64"])
def test_a_replay_is_made_in_the_runs_numerics(numerics, checkpoint, tmp_path, capsys, monkeypatch):
    words = ["runtime.dtype=bfloat16", f"runtime.numerics={numerics}", "decoder.depth=4"]
    folder = measured(checkpoint, tmp_path, *words)
    seen = []
    monkeypatch.setattr(reproduce, "as_decoded", lambda *given: seen.append(as_decoded(*given)) or seen[-1])
    assert main([str(folder), "--replay"]) == 0
    assert "replay: 2 samples decoded again, 0 differences" in capsys.readouterr().out
    assert (seen[0].dtype, isinstance(seen[0], BatchInvariantModel)) == {
        "locked": (torch.bfloat16, True),
        "float64": (torch.float64, False),
    }[numerics]


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_wrong_decoder_is_caught(name, checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path, *planted(name))
    assert main([str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "FAILS: it claims to be lossless" in printed
    report = json.loads((folder / "audit.json").read_text())
    assert report["identity"]["algorithmic"] + report["order"]["algorithmic"] == len(report["failures"]) > 0
    if name == "RightTokensInAnotherOrder":
        assert report["identity"]["identical"] == 2
        assert "the same response, committed in another order (algorithmic)" in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", some(PLANTED, 3))
def test_every_planted_wrong_decoder_is_caught_on_a_trained_model(name, tmp_path):
    trained = REPOSITORY / "checkpoints" / "llada_tiny"
    folder = measured(trained, tmp_path, *planted(name), "generation.gen_length=24", "runtime.limit=1")
    assert main([str(folder)]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_leak_between_nodes_is_caught_although_nodes_one_by_one_show_none(dtype, tmp_path, capsys):
    words = [*planted("LeaksBetweenNodes"), "generation.gen_length=24", "runtime.limit=1", f"runtime.dtype={dtype}"]
    folder = measured(REPOSITORY / "checkpoints" / "llada_tiny", tmp_path, *words)
    assert main([str(folder)]) == 1
    assert "FAILS: it claims to be lossless" in capsys.readouterr().out


def test_a_lossy_decoder_that_claims_nothing_does_not_fail(checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path, *planted("BelievesAll"), "decoder.lossless=false")
    assert main([str(folder), "--cases", "1"]) == 0
    printed = capsys.readouterr().out
    assert "does not claim to be lossless" in printed
    lines = [json.loads(line)["first_divergence"] for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert {line["float64"] for line in lines if line} == {None}, "nothing hangs on it"
    assert "token margins of algorithmic cases, by decade" in printed
    assert "█" in printed


@pytest.mark.slow
def test_what_does_not_come_out_again_is_listed(checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path, *planted("BelievesAll"))
    assert main([str(folder), "--replay"]) == 1
    assert ", 0 differences" in capsys.readouterr().out
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    lines[0]["decoder"]["response_ids"][3] += 1
    lines[0]["first_divergence"]["class"] = "numeric"
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    main([str(folder), "--replay"])
    printed = capsys.readouterr().out
    assert "sample 0: the decoder's response differs from the stored one from position 3 on" in printed
    assert "sample 0: class numeric is stored, algorithmic was found" in printed
    assert "2 differences" in printed


def test_numeric_verdicts_without_float64_are_counted_and_earlier_lines_still_read(checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path, *planted("BelievesAll"))
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    earlier = {"token_margin": 0.1, "position_margin": 0.0, "picks": "both"}
    for line, float64 in zip(lines, (None, earlier), strict=True):
        line["first_divergence"] |= {"class": "numeric", "one_by_one": True, "float64": float64}
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main([str(folder)]) == 0
    assert "numeric by a bound of the dtype alone, without float64: 2\n" in capsys.readouterr().out


def test_a_verdict_that_the_stored_responses_contradict_is_refused(checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path)
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    lines[1]["decoder"]["response_ids"][3] += 1
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert main([str(folder)]) == 2
    reason = "line 2: not a sample (ValueError: identical is True, which its response_ids contradict)"
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checkpoint", "threads", "device_name"])
def test_a_replay_under_other_circumstances_is_refused(name, checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path)
    stored = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps({**stored, name: "another"}))
    assert main([str(folder), "--replay"]) == 2
    (told,) = errors(capsys.readouterr().err)
    assert f"measured under other circumstances ({name} another → " in told


def test_unusable_runs_leave_the_others_their_audit(checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path)
    (folder / "done.json").unlink()
    assert main(["nothing", str(folder), "--results", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    missing, unfinished = errors(captured.err)
    assert missing.startswith("error: nothing: no such run; ")
    assert unfinished == f"error: {folder} is unfinished; the audit covers its 2 samples"
    assert "2 samples, claims to be lossless" in captured.out
    assert (folder / "audit.json").is_file()

    samples = folder / "samples.jsonl"
    samples.write_text("broken\n" + samples.read_text())
    assert main([str(folder)]) == 2
    (told,) = errors(capsys.readouterr().err)
    assert f"{samples}, line 1: not a sample" in told


def test_a_failing_run_outweighs_an_unusable_one(checkpoint, tmp_path):
    folder = measured(checkpoint, tmp_path, *planted("BelievesAll"))
    assert main(["nothing", str(folder), "--results", str(tmp_path)]) == 1


def test_tokens_have_no_names_where_the_tokenizer_is_gone(checkpoint, tmp_path, capsys):
    folder = measured(checkpoint, tmp_path, *planted("BelievesAll"))
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["path"] = "gone/model"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert main([str(folder)]) == 1
    assert "worst cases" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["run", "--sample", "-1"], ["run", "--cases", "x"]])
def test_what_cannot_work_is_refused(words):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
