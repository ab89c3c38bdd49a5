"""The GPU check tells whoever called it what failed; the rest lies in its log."""

import os
import subprocess

from tests.data import REPOSITORY


def test_what_failed_is_told_where_the_check_was_called(tmp_path):
    out = tmp_path / "out"
    done = subprocess.run(
        ["sh", REPOSITORY / "scripts" / "gpu_check.sh"],
        cwd=tmp_path,
        env={**os.environ, "OUT": str(out), "PYTHON": "false"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("failed or cut off: llada llada_compile dream engine numerics run_native_eager")
    assert done.stderr.endswith(f"; see {out / 'log.txt'}\n")
    assert "== dream took" in (out / "log.txt").read_text()
