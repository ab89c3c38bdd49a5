"""Fingerprints: no change of a file is missed, and a large file is hashed once."""

import os
import shutil
from pathlib import Path

import pytest

from ssd.modeling import fingerprint as module
from ssd.modeling.fingerprint import READ, cache_folder, fingerprint

LARGE = 3 * 2**20


def change_middle(file: Path) -> None:
    """Change one byte in place, and set the time of the last change back."""
    before = file.stat()
    with file.open("r+b") as content:
        content.seek(before.st_size // 2)
        byte = content.read(1)[0]
        content.seek(before.st_size // 2)
        content.write(bytes([byte ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of two weight files, whose hashes are kept in a cache folder at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_KEPT", {})
    monkeypatch.setattr(module, "SMALL_BYTES", 2**20)
    monkeypatch.setattr(module, "SETTLED_NS", 0)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    for number in (1, 2):
        (checkpoint / f"model-{number}.safetensors").write_bytes(bytes(LARGE))
    return checkpoint


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files whose content is read."""
    names: list[str] = []
    original = module._hashed
    monkeypatch.setattr(module, "_hashed", lambda file: names.append(file.name) or original(file))
    return names


@pytest.mark.parametrize("size", [LARGE, 1000])
def test_a_byte_in_the_middle_is_not_missed(folder: Path, size: int) -> None:
    file = folder / "model-2.safetensors"
    file.write_bytes(bytes(size))
    for path in (folder, file):
        first = fingerprint(path)
        change_middle(file)
        assert fingerprint(path) != first


@pytest.mark.parametrize("name", READ)
def test_every_file_that_a_result_depends_on_counts(folder: Path, name: str) -> None:
    first = fingerprint(folder)
    (folder / name).write_text("other")
    assert fingerprint(folder) != first


def test_equal_files_have_equal_fingerprints_and_other_files_do_not_count(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "README.md").write_text("a card")
    assert fingerprint(copy) == fingerprint(folder)
    (copy / "model-1.safetensors").rename(copy / "model-3.safetensors")
    assert fingerprint(copy) != fingerprint(folder)


def test_large_files_are_hashed_once_also_in_the_next_process(
    folder: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fingerprint(folder)
    assert sorted(hashed) == ["config.json", "model-1.safetensors", "model-2.safetensors"]
    del hashed[:]
    assert fingerprint(folder) == first
    monkeypatch.setattr(module, "_KEPT", {})  # as another process begins
    assert fingerprint(folder) == first
    assert hashed == ["config.json"] * 2
    change_middle(folder / "model-1.safetensors")
    assert fingerprint(folder) != first
    assert sorted(hashed) == ["config.json", "config.json", "config.json", "model-1.safetensors"]
    assert len(list(cache_folder().iterdir())) == 2, "one entry for a file"


def test_a_file_that_has_just_changed_is_not_kept(
    folder: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another change may follow within the same tick of the file system's clock."""
    monkeypatch.setattr(module, "SETTLED_NS", 3600 * 10**9)
    fingerprint(folder), fingerprint(folder)
    assert hashed.count("model-1.safetensors") == 2


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"stamp": 1}'])
def test_a_damaged_cache_is_made_anew(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    first = fingerprint(folder)
    for entry in cache_folder().iterdir():
        entry.write_bytes(content)
    monkeypatch.setattr(module, "_KEPT", {})
    assert fingerprint(folder) == first


def test_without_a_cache_folder_files_are_hashed_all_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fingerprint(folder)
    monkeypatch.setattr(module, "_KEPT", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "config.json"))
    assert fingerprint(folder) == first
