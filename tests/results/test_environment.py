"""What is recorded of the machine and the sources."""

import os
import subprocess

import pytest
import torch

from ssd.results import environment

CPU = torch.device("cpu")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository with one committed file, taken for the project's."""
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.setattr(environment, "CODE", tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    (tmp_path / "ssd").mkdir()
    (tmp_path / "ssd" / "code.py").write_text("one = 1\n")
    for command in ("init -q", "add .", "-c user.name=n -c user.email=e@x commit -qm first"):
        subprocess.run(["git", *command.split()], cwd=tmp_path, check=True)
    return tmp_path


def test_it_names_versions_device_and_threads():
    found = environment.describe(CPU)
    assert torch.__version__.startswith(found["libraries"]["torch"])
    assert None not in found["libraries"].values()
    assert (found["device"], found["threads"]) == ("cpu", torch.get_num_threads())
    assert set(environment.MUST_MATCH) <= set(found)


def test_engines_are_told_apart_by_their_attention():
    eager, graph, compiled = (environment.describe(CPU, engine=name) for name in ("eager", "graph", "compile"))
    assert graph == compiled
    (changed,) = environment.differences(eager, graph)
    assert changed.startswith("attention_backend: ")
    assert "packed into one with up to 1 nodes" in changed


def test_two_looks_at_the_same_circumstances_do_not_differ():
    assert environment.differences(environment.describe(CPU), environment.describe(CPU)) == []


def test_every_difference_is_named():
    now = environment.describe(CPU)
    stored = now | {"threads": 99, "platform": "other", "device_name": "abacus"}
    assert environment.differences(stored, now) == [
        f"device_name: abacus → {now['device_name']}",
        f"threads: 99 → {now['threads']}",
    ]


def test_what_an_older_version_did_not_record_counts_as_different():
    now = environment.describe(CPU)
    stored = {key: value for key, value in now.items() if key != "attention_backend"}
    assert len(environment.differences(stored, now)) == 1


def test_the_commit_and_whether_sources_differ_from_it(repository):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    found = environment.describe(CPU)
    assert (found["commit"], found["dirty"], found["changes"]) == (head.stdout.strip(), False, None)
    (repository / "results.txt").write_text("what is not measured with does not matter")
    assert environment.describe(CPU)["dirty"] is False
    changes = []
    for name, text in (
        ("code.py", "one = 2\n"),
        ("code.py", "from ssd.fresh import one\n"),
        ("fresh.py", "from ssd.deeper import one\n"),
        ("deeper.py", "one = 1\n"),
        ("deeper.py", "one = 2\n"),
    ):
        (repository / "ssd" / name).write_text(text)
        found = environment.describe(CPU)
        assert found["dirty"] is True
        changes.append(found["changes"])
    assert len(set(changes)) == 5, "every edit is another one, in files that git does not know yet too"


def test_a_file_that_no_measuring_code_names_marks_nothing(repository):
    before = environment.describe(CPU)
    for name in ("ssd/notes.txt", "baselines/mine.py", "conf/decoder/mine.yaml", "run.py.orig"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text("one = 1\n")
    assert environment.describe(CPU) == before
    assert before["dirty"] is False


def test_checkpoints_are_told_apart_by_their_contents(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"one")
    first = environment.describe(CPU, tmp_path)["checkpoint"]
    assert first == environment.describe(CPU, tmp_path)["checkpoint"]
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert first != environment.describe(CPU, tmp_path)["checkpoint"]


def test_without_git_the_code_itself_counts(tmp_path, monkeypatch):
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.setattr(environment, "CODE", tmp_path)
    for folder in ("ssd/deep", "ssd/__pycache__", "results"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "run.py").write_text("one = 1\n")
    changes = []
    for name in ("ssd/deep/code.py", "run.py", "ssd/__pycache__/code.pyc", "results/any"):
        (tmp_path / name).write_text("two = 2\n")
        found = environment.describe(CPU)
        assert (found["commit"], found["dirty"]) == (None, None)
        changes.append(found["changes"])
    assert None not in changes
    assert changes[0] != changes[1] == changes[2] == changes[3]
    monkeypatch.setenv("PATH", "")
    assert environment.describe(CPU)["changes"] == changes[-1]
    monkeypatch.setenv("GIT_DIR", os.devnull)
    assert environment.describe(CPU)["changes"] is None


def test_a_library_that_is_not_there_has_no_version(monkeypatch):
    monkeypatch.setattr(environment, "LIBRARIES", ("no-such-library",))
    assert environment.describe(CPU)["libraries"] == {"no-such-library": None}
