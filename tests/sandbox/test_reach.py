"""What is out of a program's reach: files, secrets, the network, other processes."""

import os
import socket
from pathlib import Path

import pytest

from ssd.sandbox.program import Program, Reason
from ssd.sandbox.protections.protection import Protection
from ssd.sandbox.sandbox import Sandbox
from tests.sandbox.confined import GOOD, Judge, confined


@pytest.mark.slow
def test_secrets_cannot_be_read(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    monkeypatch.setenv("SSD_TEST_SECRET", "hunter2")
    for path in (secret, Path("/etc/passwd"), Path("/proc/self/environ"), Path(__file__)):
        assert not judge(f"def f():\n    return len(open({str(path)!r}).read())", "assert f() > 0").passed
    assert judge("import os\ndef f():\n    return dict(os.environ)", "assert f() == {}").passed
    assert not judge("import os\ndef f():\n    return os.environ['SSD_TEST_SECRET']", "assert f() == 'hunter2'").passed


def test_nothing_outside_can_be_written(judge: Judge, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    tmp_path.chmod(0o777)
    kept.chmod(0o666)
    change = (
        f"open({str(kept)!r}, 'w')",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        f"os.remove({str(kept)!r})",
        f"os.truncate({str(kept)!r}, 0)",
        f"os.open({str(kept)!r}, os.O_RDONLY | os.O_TRUNC)",
        f"os.chmod({str(kept)!r}, 0)",
        f"os.rename({str(kept)!r}, 'mine')",
        f"os.link({str(kept)!r}, 'mine')",
        f"os.mkdir({str(tmp_path / 'folder')!r})",
        f"os.utime({str(kept)!r}, (0, 0))",
        "open(os.__file__, 'a')",
        "os.open(os.__file__, os.O_RDONLY | os.O_TRUNC)",
    )
    for statement in change:
        outcome = judge(f"import os\ndef f():\n    {statement}\n    return 1", "assert f() == 1")
        assert outcome.reason in (Reason.FORBIDDEN, Reason.EXCEPTION), statement
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "kept"
    assert Path(os.__file__).stat().st_size > 0


def test_the_root_is_read_only() -> None:
    # Who may write to a file is one thing; here the file system itself must refuse, whoever asks.
    source = "import os\ndef f(paths):\n    return [bool(os.statvfs(path).f_flag & os.ST_RDONLY) for path in paths]"
    paths = ["/", "/usr", str(Path(os.__file__).parent), "/tmp"]
    with confined(Protection.NAMESPACES) as sandbox:
        program = Program(source, f"assert f({paths}) == [True, True, True, False]", ("f",))
        assert sandbox.run([program])[0].passed


def test_its_own_directory_is_bounded_and_does_not_last(sandbox: Sandbox) -> None:
    source = """
import os
def f(bytes_, files):
    found = os.listdir()
    for n in range(files):
        with open(f"file{n}", "wb") as file:
            file.write(b"x" * bytes_)
    return found
"""
    small, large, many = (
        Program(source, f"assert f({size}) == []", ("f",)) for size in ("9, 9", "9 << 20, 1", "1, 5000")
    )
    outcomes = [outcome.passed for outcome in sandbox.run([small, small, large, many, GOOD])]
    assert outcomes == [True, True, False, False, True]


@pytest.mark.parametrize(
    "hidden",
    ["os.mkdir('in', 0o300)", "[(os.mkdir('in'), os.chdir('in')) for _ in range(300)]; os.mkdir('in')"],
    ids=["where nobody may look", "far down"],
)
def test_its_directory_is_bounded_where_it_hides_its_files(judge: Judge, hidden: str) -> None:
    source = f"""
        import os
        def f():
            {hidden}
            for n in range(3000):
                open(f"in/{{n}}", "wb").close()
            return True
    """
    assert not judge(source, "assert f()").passed


@pytest.mark.parametrize("after", ["return 1", "time.sleep(60)"], ids=["when it answers", "while it keeps silent"])
def test_under_landlock_the_judge_watches_the_directory(after: str) -> None:
    source = f"""
import time
def f():
    for n in range(5):
        with open(f"file{{n}}", "wb") as file:
            file.write(bytes(1 << 20))
    {after}
"""
    with confined(Protection.LANDLOCK) as sandbox:
        outcome, after_it = sandbox.run([Program(source, "f()", ("f",)), GOOD])
    assert (outcome.reason, outcome.detail) == (Reason.OUTPUT_LIMIT, "it keeps more than 4 MiB or 1024 files")
    assert after_it.passed


def test_only_what_python_needs_can_be_read(judge: Judge) -> None:
    assert not judge("def f():\n    return len(open('/usr/bin/env', 'rb').read())", "assert f() > 0").passed
    assert judge("import ssl, sqlite3, decimal\ndef f():\n    return 1", "assert f() == 1").passed


def test_a_loopback_server_is_not_reached(judge: Judge) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        port = server.getsockname()[1]
        connect = f"import socket\ndef f():\n    return socket.create_connection(('127.0.0.1', {port}), 1).fileno()"
        assert not judge(connect, "assert f() > 0").passed
        with pytest.raises(BlockingIOError):
            server.accept()


def test_other_processes_are_not_reached(judge: Judge) -> None:
    source = """
        import fcntl, os, resource, signal

        def attempt(action, *arguments):
            try:
                action(*arguments)
            except OSError:
                return 0
            return 1

        def f(judge):
            mine, others = os.getpid(), {os.getppid(), judge, 0, -1}
            done = sum(attempt(os.kill, other, signal.SIGKILL) for other in others)
            done += sum(attempt(resource.prlimit, other, resource.RLIMIT_CPU, (1, 1)) for other in others - {0, -1})
            done += attempt(os.setsid)
            with open(os.__file__) as file:
                done += attempt(fcntl.fcntl, file, fcntl.F_SETOWN, judge)
            return done
    """
    assert judge(source, f"assert f({os.getpid()}) == 0").passed
    assert not judge(source, f"assert f({os.getpid()}) > 0").passed
