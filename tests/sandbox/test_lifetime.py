"""What is left of a run that is killed: no process of the sandbox."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from ssd.sandbox.sandbox import Sandbox
from tests.data import REPOSITORY
from tests.sandbox.confined import processes_of

PAUSE = "    import time\n    time.sleep(1000)\n"
JUDGE = """
import sys
from ssd.tasks.humaneval import HumanEval
task = HumanEval(path=sys.argv[1], workers=2, time_limit_s=1000)
task.judge([(document.solution, document) for document in task.documents(None)])
"""


def waiting(folder: Path) -> list[str]:
    """Return the command lines of programs that are running, one for each."""
    programs = [line.split("\0") for line in processes_of(str(folder)) if "sandbox.launch" in line]
    return sorted({word for line in programs for word in line if word.startswith(str(folder))})


def test_no_process_of_a_killed_run_is_left(strongest: Sandbox, tmp_path: Path) -> None:
    """One judge waits in the data set's tests, the other one for a program, when SIGKILL ends their parent."""
    rows = [("    return x\n", PAUSE), (f"{PAUSE}    return x\n", "    candidate(1)\n")]
    lines = [
        {
            "prompt": 'def f(x):\n    """Return x."""\n',
            "entry_point": "f",
            "canonical_solution": solution,
            "test": f"def check(candidate):\n{test}",
        }
        for solution, test in rows
    ]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    run = subprocess.Popen(
        [sys.executable, "-c", JUDGE, str(data)], cwd=REPOSITORY, env=os.environ | {"TMPDIR": str(tmp_path)}
    )
    deadline_s = time.monotonic() + 60
    while run.poll() is None and len(waiting(tmp_path)) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.02)
    judged = waiting(tmp_path)
    run.kill()
    run.wait()
    assert len(judged) == 2
    while processes_of(str(tmp_path)) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert processes_of(str(tmp_path)) == []
