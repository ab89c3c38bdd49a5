"""A run's folder survives kills: what is there is whole, what is torn is dropped, what is done says so last."""

import json
import os
from pathlib import Path

import pytest
import yaml

from ssd.results import store
from ssd.results.atomic_io import LOCK
from ssd.results.run_id import run_id
from ssd.results.schema import Sample, SideRecord
from ssd.results.store import RunFolder

CONFIG = {
    "decoder": {"name": "ssd", "depth": 8},
    "model": {"name": "llada", "path": "GSAI-ML/LLaDA-8B-Instruct", "revision": None},
    "task": {"name": "gsm8k", "num_fewshot": 0},
    "generation": {"gen_length": 256, "seed": 0},
    "runtime": {"dtype": "bfloat16", "limit": None, "timing": True},
    "tracker": {"name": "none"},
    "results_dir": "results",
    "overwrite": False,
    "repair": False,
}
ENVIRONMENT = {
    "python": "3.11.9",
    "libraries": {"torch": "2.13.0"},
    "device": "cpu",
    "device_name": "cpu",
    "threads": 1,
    "attention_backend": "sdpa",
    "commit": "c0ffee",
    "changes": None,
    "checkpoint": "c0ffee",
    "platform": "Linux",
}
SIDE = dict.fromkeys(SideRecord.__annotations__)


def sample(index: int, text: str = "") -> dict:
    """A line with every key of a sample, most of them without a value."""
    known = {"schema": 1, "index": index, "repeat": 0, "identical": True}
    sides = dict.fromkeys(("reference", "decoder"), SIDE | {"text": text})
    return dict.fromkeys(name for name in Sample.__annotations__ if name != "uncached") | known | sides


SAMPLES = [sample(0, "ä\u2028\n"), sample(1), sample(2)]
LENGTH = len(json.dumps(SAMPLES[2])) + 1


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run with three samples, killed before it was done."""
    folder = RunFolder(tmp_path, CONFIG)
    assert folder.open(ENVIRONMENT) == []
    for sample in SAMPLES:
        folder.append(sample)
    return folder


def test_the_id_is_readable_and_does_not_depend_on_the_order_of_keys():
    name = run_id(CONFIG)
    assert name.startswith("ssd-llada-gsm8k-")
    backwards = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value
        for key, value in reversed(CONFIG.items())
    }
    assert list(backwards) != list(CONFIG)
    assert run_id(backwards) == name


@pytest.mark.parametrize(
    "change",
    [
        {"results_dir": "/elsewhere"},
        {"overwrite": True},
        {"repair": True},
        {"tracker": {"name": "wandb", "project": "p"}},
        {"task": CONFIG["task"] | {"workers": 8}},
        {"runtime": CONFIG["runtime"] | {"pass_at": [1, 5]}},
        {"runtime": CONFIG["runtime"] | {"limit": 10**6}},  # which documents are asked is hashed
        {"task": CONFIG["task"] | {"path": "elsewhere/test.jsonl"}},
        {"decoder": CONFIG["decoder"] | {"graph": "elsewhere/graph.json"}},  # so are its contents
        {"decoder": CONFIG["decoder"] | {"costs": "elsewhere/costs.json"}},  # so are its contents
        {"decoder": CONFIG["decoder"] | {"depth": 8.0}},
    ],
)
def test_the_id_ignores_what_no_result_depends_on(change):
    assert run_id(CONFIG | change) == run_id(CONFIG)


def test_every_other_change_gives_another_id():
    changes = [
        CONFIG | {group: CONFIG[group] | {key: "another"}}
        for group in ("decoder", "model", "task", "generation", "runtime")
        for key in CONFIG[group]
        if (group, key) != ("runtime", "limit")
    ]
    changes += [CONFIG | {"generation": CONFIG["generation"] | {"cache": "dual"}}, CONFIG | {"experiment": "grid"}]
    changes += [CONFIG | {"decoder": CONFIG["decoder"] | {"costs": [[1, cost]]}} for cost in (1, 2)]
    ids = {run_id(CONFIG), *map(run_id, changes)}
    assert len(ids) == 1 + len(changes)


def test_samples_come_back_as_they_were_appended(folder, tmp_path):
    again = RunFolder(tmp_path, CONFIG)
    assert again.open(ENVIRONMENT) == SAMPLES
    assert yaml.safe_load((again.path / "config.yaml").read_text()) == CONFIG
    assert again.read("environment.json") == {"schema": 1, **ENVIRONMENT}
    assert not again.is_done


def test_a_sample_is_a_line_on_the_disk_when_append_returns(folder, monkeypatch):
    synced = []

    def fsync(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve().read_bytes())

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc to see what a descriptor's file holds")
    monkeypatch.setattr(os, "fsync", fsync)
    before = (folder.path / "samples.jsonl").read_bytes()
    folder.append({"index": 3})
    after = (folder.path / "samples.jsonl").read_bytes()
    assert after == before + b'{"schema": 1, "index": 3}\n'
    assert synced == [after], "the whole line is written before it is synced, and synced once"


@pytest.mark.parametrize("cut", [1, 2, 13, 14, LENGTH // 2, LENGTH - 2, LENGTH - 1])
def test_a_line_torn_anywhere_is_dropped_and_cut_off(folder, cut):
    """Kill the writer inside the last line, its line end included."""
    file = folder.path / "samples.jsonl"
    content = file.read_bytes()
    whole = content.rfind(b"\n", 0, len(content) - 1) + 1
    assert len(content) - whole == LENGTH
    file.write_bytes(content[: whole + cut])
    assert folder.open(ENVIRONMENT) == SAMPLES[:2]
    assert file.read_bytes() == content[:whole]
    folder.append(SAMPLES[2])
    assert folder.open(ENVIRONMENT) == SAMPLES


DAMAGE = [
    b"{]",
    b"",
    b"\xff\xfe\x00",
    b"[1]",
    b'{"schema": 1, "index": 1, "repeat": 0}',
    json.dumps(SAMPLES[1]).encode()[:99],
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_line_in_the_middle_is_an_error_that_names_it_and_the_remedy(folder, damage):
    file = folder.path / "samples.jsonl"
    lines = file.read_bytes().split(b"\n")
    lines[1] = damage
    file.write_bytes(b"\n".join(lines))
    remedy = r"delete line 2 and repeat the run's command, or add repair=true"
    with pytest.raises(ValueError, match=rf"samples\.jsonl, line 2: not a sample .*; {remedy}"):
        folder.open(ENVIRONMENT)
    assert file.read_bytes() == b"\n".join(lines), "nothing is thrown away unasked"


@pytest.mark.parametrize("damage", [*DAMAGE, json.dumps(SAMPLES[0]).encode()])
def test_repair_drops_damaged_and_doubled_lines_only(folder, tmp_path, damage, capsys):
    file = folder.path / "samples.jsonl"
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([lines[0], damage, lines[2], b"torn"]))
    mending = RunFolder(tmp_path, CONFIG | {"repair": True})
    assert mending.open(ENVIRONMENT) == [SAMPLES[0], SAMPLES[2]]
    assert file.read_bytes() == b"\n".join([lines[0], lines[2], b""])
    assert capsys.readouterr().out == f"{file}: dropped lines 2, 4\n"
    before = file.stat().st_ino
    assert mending.open(ENVIRONMENT) == [SAMPLES[0], SAMPLES[2]]
    assert (file.stat().st_ino, capsys.readouterr().out) == (before, ""), "a whole file is not written again"


def test_repair_keeps_what_another_version_has_stored(folder, tmp_path):
    with (folder.path / "samples.jsonl").open("a") as file:
        file.write('{"schema": 2, "index": 3, "repeat": 0}\n')
    with pytest.raises(ValueError, match="line 4: schema 2, this version reads schema 1"):
        RunFolder(tmp_path, CONFIG | {"repair": True}).open(ENVIRONMENT)


@pytest.mark.parametrize(
    "change",
    [{"device": "cuda"}, {"threads": 8}, {"commit": "beef"}, {"changes": "1234"}, {"libraries": {"torch": "2.14.0"}}],
    ids=str,
)
def test_samples_of_other_circumstances_are_not_mixed(folder, change):
    (name,) = change
    with pytest.raises(ValueError, match=rf"3 samples measured elsewhere \({name}: .* → .*\); pass overwrite=true"):
        folder.open(ENVIRONMENT | change)
    assert folder.read("environment.json") == {"schema": 1, **ENVIRONMENT}
    assert folder.open(ENVIRONMENT) == SAMPLES


def test_what_cannot_change_a_result_may_differ(folder):
    assert folder.open(ENVIRONMENT | {"platform": "another kernel"}) == SAMPLES


def test_without_samples_any_circumstances_will_do(tmp_path):
    folder = RunFolder(tmp_path, CONFIG)
    folder.open(ENVIRONMENT)
    assert folder.open(ENVIRONMENT | {"device": "cuda"}) == []
    assert folder.read("environment.json")["device"] == "cuda"


def test_the_mark_of_a_finished_run_is_written_last_and_whole(folder, monkeypatch):
    """At every rename, everything written before it is in place, and done.json is the last of them."""
    seen = []
    rename = Path.replace

    def watch(self, target):
        json.loads(self.read_text())
        assert self.parent == target.parent, "a rename across file systems is not atomic"
        seen.append((target.name, folder.is_done, (folder.path / "summary.json").is_file()))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    folder.finish({"schema": 1, "prompts": 3, "speedup": {"ratio": 2.0}})
    assert seen == [("summary.json", False, False), ("done.json", False, True)]
    assert folder.is_done
    assert folder.read("summary.json")["speedup"] == {"ratio": 2.0}
    assert folder.read("done.json")["run_id"] == folder.run_id
    assert not list(folder.path.glob("*.partial"))


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "summary.json"
    store.write_json(file, {"old": 1})

    def disk_full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match=r"summary\.json cannot be written: the disk is full \(No space left"):
        store.write_json(file, {"new": 2})
    assert json.loads(file.read_text()) == {"old": 1}


def test_a_failure_leaves_its_traceback_and_reopening_forgets_it(folder):
    def raise_it():
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError) as caught:
        raise_it()
    folder.fail(caught.value)
    assert caught.value.__notes__ == [f"traceback: {folder.path / 'error.json'}"]
    error = folder.read("error.json")
    assert error["error"] == "RuntimeError: the model broke"
    assert "raise_it" in error["traceback"]
    assert not folder.is_done
    assert folder.open(ENVIRONMENT) == SAMPLES
    assert not (folder.path / "error.json").exists()


def test_a_failure_before_anything_was_opened_is_kept_too(tmp_path):
    folder = RunFolder(tmp_path / "new", CONFIG)
    folder.fail(ValueError("no such model"))
    assert folder.read("error.json")["error"] == "ValueError: no such model"


def test_a_failure_that_cannot_be_kept_does_not_hide_what_failed(folder, monkeypatch):
    def disk_full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    error = RuntimeError("the model broke")
    folder.fail(error)
    (note,) = error.__notes__
    assert note.startswith(f"no error.json: {folder.path / 'error.json'} cannot be written: the disk is full")
    assert not list(folder.path.glob("error.json*"))


def test_what_a_killed_writer_left_half_written_is_removed(folder):
    folder.write_trace(0, 0, {})
    strays = [folder.path / "summary.json.partial", folder.path / "traces" / "000001-0.json.partial"]
    for stray in strays:
        stray.write_text("{")
    assert folder.open(ENVIRONMENT) == SAMPLES
    assert not any(stray.exists() for stray in strays)
    assert (folder.path / "traces" / "000000-0.json").is_file()


def test_a_run_that_is_cleared_is_not_done_from_the_first_moment_on(folder, monkeypatch):
    folder.finish({"schema": 1, "prompts": 3})
    monkeypatch.setattr(store.shutil, "rmtree", lambda path: pytest.fail("killed") if folder.is_done else None)
    folder.clear()


def test_clearing_forgets_everything(folder):
    folder.write_trace(0, 0, {"reference": []})
    folder.finish({"schema": 1, "prompts": 3})
    with folder.lock():
        folder.clear()
        assert [path.name for path in folder.path.iterdir()] == [LOCK]
        assert not folder.is_done
        assert folder.open(ENVIRONMENT) == []
        with pytest.raises(BlockingIOError, match="another process is measuring this run"), folder.lock():
            pass
    folder.clear()
    folder.clear()


def test_traces_lie_one_file_per_prompt(folder):
    folder.write_trace(12, 3, {"reference": [1], "decoder": [2]})
    assert folder.read("traces/000012-3.json") == {"reference": [1], "decoder": [2]}


@pytest.mark.parametrize("torn", ['{"status": "do', ""])
def test_a_file_that_is_not_whole_is_named_with_the_remedy(folder, torn):
    (folder.path / "summary.json").write_text(torn)
    with pytest.raises(ValueError, match=r"summary.json: cannot be read .*repeat the run's command, which makes"):
        folder.read("summary.json")


def test_what_another_version_stored_is_refused_in_one_line(folder):
    with (folder.path / "samples.jsonl").open("a") as file:
        file.write('{"schema": 2, "index": 3}\n')
    (folder.path / "summary.json").write_text('{"prompts": 3}')
    for read, found in (
        (lambda: folder.open(ENVIRONMENT), "schema 2"),
        (lambda: folder.read("summary.json"), "schema None"),
    ):
        with pytest.raises(ValueError, match=f"{found}, this version reads schema 1; .*overwrite=true"):
            read()


def test_samples_without_their_environment_are_refused(folder):
    """A kill while a run is cleared must not let a later run take samples of other circumstances for its own."""
    (folder.path / "environment.json").unlink()
    with pytest.raises((ValueError, OSError), match=r"environment\.json"):
        folder.open(ENVIRONMENT)


def test_a_run_is_cleared_of_its_samples_before_its_environment(folder, monkeypatch):
    removed = []
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda path, **options: (removed.append(path.name), unlink(path, **options)))
    folder.clear()
    assert removed[:3] == ["done.json", "samples.jsonl", "responses.jsonl"]
