"""What an earlier run has left is returned, resumed or refused, and nobody else measures it meanwhile."""

import json
import shutil

import pytest
import torch

from ssd.decoding.block_decoder import BlockDecoder
from ssd.results.atomic_io import is_locked, locked
from ssd.run import loading
from ssd.run.decode_phase import DecodePhase
from ssd.run.runner import MODELS
from tests.runs import lines_of, only_folder


@pytest.mark.slow
def test_a_finished_run_is_returned_without_measuring(short_run, tmp_path, monkeypatch, capsys):
    first = short_run("llada")
    before = (only_folder(tmp_path) / "samples.jsonl").read_bytes()

    def refuse(*arguments):
        raise AssertionError("a finished run must not load a model")

    with monkeypatch.context() as patch:
        patch.setattr(loading, "load_model", refuse)
        assert short_run("llada") == first
        assert "is finished" in capsys.readouterr().out
        assert (only_folder(tmp_path) / "samples.jsonl").read_bytes() == before
        MODELS.forget()
        with pytest.raises(AssertionError, match="must not load"):
            short_run("llada", "overwrite=true")
    assert (only_folder(tmp_path) / "samples.jsonl").read_bytes() == before, "a failed new start loses nothing"
    assert not (only_folder(tmp_path) / "error.json").exists(), "nor is what is done called failed"
    assert short_run("llada") == first
    assert short_run("llada", "overwrite=true")["run_id"] == first["run_id"]
    assert (only_folder(tmp_path) / "samples.jsonl").read_bytes() != before


def test_a_finished_run_says_what_has_changed_since(short_run, tmp_path, capsys):
    short_run("llada")
    file = only_folder(tmp_path) / "environment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"device_name": "abacus"}))
    short_run("llada")
    assert "NOTE: it was measured under other circumstances: device_name: abacus → " in capsys.readouterr().out


@pytest.mark.slow
def test_a_finished_run_says_that_its_checkpoint_is_another_now(short_run, checkpoints, tmp_path, capsys):
    copy = shutil.copytree(checkpoints["llada"], tmp_path / "checkpoint")
    words = (f"model.path={copy}", f"results_dir={tmp_path / 'results'}")
    short_run("llada", *words)
    capsys.readouterr()
    short_run("llada", *words)
    assert "NOTE" not in capsys.readouterr().out
    shutil.copy(checkpoints["dream"] / "model.safetensors", copy)
    short_run("llada", *words)
    assert "NOTE: it was measured under other circumstances: checkpoint: " in capsys.readouterr().out


@pytest.mark.slow
def test_a_finished_run_with_threads_of_its_own_is_what_it_was(short_run, capsys):
    words = ("runtime.threads=2", "runtime.limit=1", "generation.gen_length=2", "generation.block_length=2")
    short_run("llada", *words)
    torch.set_num_threads(1)  # as a process begins
    short_run("llada", *words)
    torch.set_num_threads(1)
    assert "NOTE" not in capsys.readouterr().out


@pytest.mark.slow
def test_samples_of_other_prompts_are_not_resumed(short_run, tmp_path):
    short_run("llada")
    folder = only_folder(tmp_path)
    (folder / "done.json").unlink()
    lines = lines_of(folder)
    lines[1]["prompt_sha256"] = "0" * 64
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(ValueError, match="sample 1 was measured on another prompt"):
        short_run("llada")


@pytest.mark.slow
def test_an_interrupted_run_is_resumed_where_it_stopped(short_run, tmp_path, monkeypatch):
    whole = short_run("dream")
    folder = only_folder(tmp_path)
    expected = lines_of(folder)
    content = (folder / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "done.json").unlink()
    (folder / "samples.jsonl").write_bytes(content[0] + content[1][:40])

    measured = []
    decode = DecodePhase.decode
    monkeypatch.setattr(
        DecodePhase,
        "decode",
        lambda self, group, known: measured.extend(q.document.index for q in group) or decode(self, group, known),
    )
    resumed = short_run("dream")
    assert measured == [1, 2]
    assert lines_of(folder)[0] == expected[0]
    for found, line in zip(lines_of(folder), expected, strict=True):
        assert found["index"] == line["index"]
        assert found["prompt_ids"] == line["prompt_ids"]
        for side in ("reference", "decoder"):
            assert found[side]["response_ids"] == line[side]["response_ids"]
            assert found[side]["nfe"] == line[side]["nfe"]
    for name in ("nfe", "token_rows", "tokens_per_forward", "acceptance_length", "identity", "accuracy"):
        assert resumed[name] == whole[name]
    assert (folder / "done.json").is_file()


@pytest.mark.slow
def test_a_failed_run_leaves_its_traceback_and_resumes(short_run, tmp_path, monkeypatch):
    decode = BlockDecoder.decode
    calls = []

    def break_at_the_fourth(self, *arguments):
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("out of luck")
        return decode(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(BlockDecoder, "decode", break_at_the_fourth)
        with pytest.raises(RuntimeError, match="out of luck"):
            short_run("llada")
    folder = only_folder(tmp_path)
    error = json.loads((folder / "error.json").read_text())
    assert error["error"] == "RuntimeError: out of luck"
    assert "break_at_the_fourth" in error["traceback"]
    assert (folder / "responses.jsonl").read_bytes().count(b"\n") == 1
    assert not (folder / "done.json").exists()

    assert short_run("llada")["prompts"] == 3
    assert [line["index"] for line in lines_of(folder)] == [0, 1, 2]
    assert not (folder / "error.json").exists()


@pytest.mark.slow
def test_two_processes_do_not_measure_the_same_run(short_run, tmp_path):
    short_run("llada")
    folder = only_folder(tmp_path)
    (folder / "done.json").unlink()
    with locked(folder):
        with pytest.raises(BlockingIOError, match="another process is measuring this run"):
            short_run("llada")
        assert not (folder / "error.json").exists()
    short_run("llada")


@pytest.mark.slow
def test_a_run_that_is_measured_anew_stays_locked(short_run, tmp_path, monkeypatch):
    held, decode = [], DecodePhase.decode

    def watch(self, *arguments):
        held.append(is_locked(only_folder(tmp_path)))
        return decode(self, *arguments)

    monkeypatch.setattr(DecodePhase, "decode", watch)
    short_run("llada")
    short_run("llada", "overwrite=true")
    assert held == [True] * 6


@pytest.mark.slow
def test_samples_that_are_there_twice_are_refused(short_run, tmp_path):
    short_run("llada")
    folder = only_folder(tmp_path)
    (folder / "done.json").unlink()
    with (folder / "samples.jsonl").open("a") as file:
        file.write(json.dumps(lines_of(folder)[1]) + "\n")
    with pytest.raises(ValueError, match=r"samples.jsonl: sample 1 is stored twice, in lines 2 and 4; .* repair=true"):
        short_run("llada")
    assert short_run("llada", "repair=true")["responses"] == 3
    assert [line["index"] for line in lines_of(folder)] == [0, 1, 2]


@pytest.mark.slow
def test_samples_of_another_machine_are_not_resumed(short_run, tmp_path):
    short_run("llada")
    folder = only_folder(tmp_path)
    (folder / "done.json").unlink()
    environment = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps(environment | {"device_name": "another"}))
    with pytest.raises(ValueError, match=r"holds 3 samples measured elsewhere \(device_name: another → "):
        short_run("llada")
    assert len(lines_of(folder)) == 3
