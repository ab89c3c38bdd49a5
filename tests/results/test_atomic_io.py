"""A disk that is full or read-only: one clear line, and nothing lost or torn that was written before."""

import errno
import fcntl
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ssd.results import atomic_io as disk
from tests.data import REPOSITORY

FULL = OSError(errno.ENOSPC, "No space left on device")


def torn_write(monkeypatch: pytest.MonkeyPatch, whole_bytes: int, error: BaseException) -> None:
    """Let every write through the kernel take so many bytes, and then fail."""
    opened = Path.open

    def limited(self, *arguments, **options):
        stream = opened(self, *arguments, **options)
        if not hasattr(stream, "readinto"):
            return stream

        class Limited(type(stream)):
            left = whole_bytes

            def write(self, content):
                if not self.left:
                    raise error
                taken = super().write(bytes(content[: self.left]))
                self.left -= taken
                return taken

        stream.close()
        return Limited(self, arguments[0].replace("b", ""))

    monkeypatch.setattr(Path, "open", limited)


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["full", "interrupted"])
@pytest.mark.parametrize("cut", range(8))
def test_a_line_that_fails_half_way_is_cut_off_again(tmp_path, monkeypatch, cut, error):
    file = tmp_path / "lines"
    disk.append_line(file, "first")
    with monkeypatch.context() as patch:
        torn_write(patch, cut, error)
        with pytest.raises((OSError, KeyboardInterrupt)):
            disk.append_line(file, "the second")
    assert file.read_bytes() == b"first\n"
    disk.append_line(file, "third")
    assert file.read_bytes() == b"first\nthird\n"


@pytest.mark.parametrize("cut", range(4))
def test_a_file_that_cannot_be_replaced_stays_and_leaves_no_part_of_the_new_one(tmp_path, monkeypatch, cut):
    file = tmp_path / "summary.json"
    disk.write_atomically(file, "old")
    with monkeypatch.context() as patch:
        torn_write(patch, cut, FULL)
        with pytest.raises(OSError, match="the disk is full"):
            disk.write_atomically(file, "new one")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("summary.json", "old")]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full .*; what was stored before is whole; make room there"),
        (errno.EDQUOT, "your share of the disk is used up .*; make room there"),
        (errno.EROFS, "the disk is read-only .*; choose a folder that can be written"),
        (errno.EACCES, "it is not yours to write .*; choose a folder that can be written"),
    ],
)
def test_what_a_disk_refuses_is_one_line_with_the_remedy(number, words):
    with pytest.raises(OSError, match=f"^results/x cannot be written: {words}") as caught, disk.storing("results/x"):
        raise OSError(number, os.strerror(number))
    assert "\n" not in str(caught.value)


def test_other_errors_are_not_taken_for_the_disks():
    with pytest.raises(BlockingIOError, match="busy"), disk.storing(Path("x")):
        raise BlockingIOError(errno.EAGAIN, "busy")


def test_room_is_tried_before_it_is_needed(tmp_path, monkeypatch):
    disk.require_room(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []
    torn_write(monkeypatch, 100, FULL)
    with pytest.raises(OSError, match="the disk is full"):
        disk.require_room(tmp_path)


def test_a_folder_is_locked_as_long_as_somebody_holds_it(tmp_path):
    assert not disk.is_locked(tmp_path)
    with disk.locked(tmp_path):
        assert disk.is_locked(tmp_path)
        with pytest.raises(BlockingIOError), disk.locked(tmp_path):
            pass
        assert disk.is_locked(tmp_path)
    assert not disk.is_locked(tmp_path)


def test_what_is_locked_is_a_file_opened_for_writing(tmp_path):
    """As network file systems ask for, which keep the lock of a folder to one node."""
    with disk.locked(tmp_path), (tmp_path / disk.LOCK).open("r+") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert not disk.is_locked(tmp_path / "another")


def in_own_mounts(script: str, folder: Path) -> str:
    """What a Python script prints in a mount namespace of its own, in which it may mount as it likes."""
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", folder], capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a disk of our own")
    command = ["unshare", "-rm", sys.executable, "-c", textwrap.dedent(script), str(folder)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_disk_that_runs_full_loses_nothing_and_goes_on_when_there_is_room(tmp_path):
    printed = in_own_mounts(
        """
        import subprocess, sys
        from pathlib import Path
        from ssd.results.atomic_io import append_line, require_room, write_json
        folder = Path(sys.argv[1])
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder], check=True)
        require_room(folder)
        ballast, file = folder / "ballast", folder / "samples.jsonl"
        ballast.write_bytes(bytes(100_000))
        line, count = "x" * 9_999, 0
        try:
            while count < 100:
                append_line(file, line)
                count += 1
        except OSError as error:
            print(error)
        assert 5 < count < 30 and file.read_text() == (line + "\\n") * count
        for write in (lambda: require_room(folder), lambda: write_json(folder / "summary.json", {"text": line})):
            try:
                write()
            except OSError as error:
                print(error)
        assert sorted(path.name for path in folder.iterdir()) == ["ballast", "samples.jsonl"]
        ballast.unlink()
        append_line(file, line)
        assert file.read_text() == (line + "\\n") * (count + 1)
        """,
        tmp_path,
    )
    assert len(printed.splitlines()) == 3
    assert all("cannot be written: the disk is full (No space left on device)" in line for line in printed.splitlines())


def test_a_read_only_disk_is_one_line(tmp_path):
    (tmp_path / "summary.json").write_text("old")
    printed = in_own_mounts(
        """
        import subprocess, sys
        from pathlib import Path
        from ssd.results.atomic_io import append_line, make_folder, require_room, write_json
        folder = Path(sys.argv[1])
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        for write in (
            lambda: require_room(folder),
            lambda: make_folder(folder / "run"),
            lambda: append_line(folder / "samples.jsonl", "line"),
            lambda: write_json(folder / "summary.json", {}),
        ):
            try:
                write()
            except OSError as error:
                print(error)
        assert (folder / "summary.json").read_text() == "old"
        """,
        tmp_path,
    )
    assert len(printed.splitlines()) == 4
    assert all("the disk is read-only" in line and "results_dir=FOLDER" in line for line in printed.splitlines())
