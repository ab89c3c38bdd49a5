"""What killed runs leave is removed by the next one, and nothing else is."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ssd.sandbox.folder import LockedFolder
from tests.data import REPOSITORY

HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from ssd.sandbox.folder import LockedFolder
folder = LockedFolder()
print(folder.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_killed_processs_folder_goes_and_a_living_ones_stays(tmp_path: Path) -> None:
    (tmp_path / "ssd-sandbox.file").touch()
    (tmp_path / "others").mkdir()
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        (left / "program").mkdir()
        (left / "program" / "file").touch()
        beside = LockedFolder()
        assert left.is_dir(), "its process lives"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert left.is_dir(), "nothing removes it before the next sandbox starts"
    next_one = LockedFolder()
    assert not left.exists()
    assert Path(beside.name).is_dir(), "locked by this very process"
    for folder in (beside, next_one, next_one):
        folder.cleanup()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["others", "ssd-sandbox.file"]
