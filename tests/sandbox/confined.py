"""What the tests of the sandbox share: limits, a good program, and a sandbox under a given protection."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ssd.sandbox import sandbox as sandbox_module
from ssd.sandbox.errors import SandboxError
from ssd.sandbox.program import Limits, Outcome, Program
from ssd.sandbox.protections.protection import Protection
from ssd.sandbox.sandbox import Sandbox

LIMITS = Limits(wall_s=4, cpu_s=1, memory_mib=256, file_mib=4, answer_kib=256)
GOOD = Program("def f(x):\n    return x + 1", "assert f(1) == 2", ("f",))

Judge = Callable[[str, str], Outcome]


def confined(protection: Protection, limits: Limits = LIMITS, workers: int = 1) -> Sandbox:
    """Return a sandbox under this very protection; the test is skipped where the machine does not offer it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox_module, "acceptable", lambda allow_unsafe: [protection])
        try:
            return Sandbox(workers, limits)
        except SandboxError as error:
            pytest.skip(f"this machine does not offer {protection}: {error}")


def candidates_of(sandbox: Sandbox) -> list[str]:
    """Return the command lines of the programs that are running in the sandbox."""
    return [line for line in processes_of(sandbox.folder) if "sandbox.launch" in line]


def processes_of(folder: str) -> list[str]:
    """Return the command lines of the processes, of judges and programs, of all sandboxes below the folder."""
    lines: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            lines.append(path.read_text())
    return [line for line in lines if folder in line and "from ssd.sandbox." in line]
