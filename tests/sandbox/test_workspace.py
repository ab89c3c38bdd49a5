"""How full a program's directory is, as the judge sees it."""

import os
from pathlib import Path

import pytest

from ssd.sandbox import workspace


def test_bytes_add_up_over_folders(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for place in ("a", "b", "inner/c"):
        (tmp_path / place).write_bytes(bytes(100))
    (tmp_path / "away").symlink_to(__file__)
    assert not workspace.exceeds(str(tmp_path), 300 + len(__file__))
    assert workspace.exceeds(str(tmp_path), 299)


def test_entries_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "MOST_ENTRIES", 3)
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    assert not workspace.exceeds(str(tmp_path), 1)
    (tmp_path / "c" / "d").touch()
    assert workspace.exceeds(str(tmp_path), 1)


def test_what_cannot_be_looked_into_counts_as_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def refuse(folder: int) -> object:
        if os.fstat(folder).st_ino == (tmp_path / "closed").stat().st_ino:
            raise PermissionError(13, "closed")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    assert workspace.exceeds(str(tmp_path), 1)


def test_what_is_too_deep_counts_as_full(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    levels = 1200
    try:
        for _ in range(levels):
            os.mkdir("a", dir_fd=here)
            inner = os.open("a", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        assert workspace.exceeds(str(tmp_path), 1)
    finally:
        # Upwards again: whatever removes folders by their paths cannot reach down so far.
        for _ in range(levels):
            outer = os.open("..", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = outer
            os.rmdir("a", dir_fd=here)
        os.close(here)
