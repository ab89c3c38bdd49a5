"""Lines of the shell, `python run.py ...`, carried out in the process of the tests or in forks of a warm one."""

import logging
import multiprocessing
import os
import runpy
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NamedTuple

import pytest

from ssd.results.reference_cache import FOLDER
from ssd.run.device_lock import FOLDER_VARIABLE
from tests.data import REPOSITORY
from tests.runs import short_words


class Line(NamedTuple):
    """What a line of the shell came to."""

    status: int | str | None
    output: str
    errors: str


@contextmanager
def own_logging() -> Iterator[None]:
    """Restore the root logger's handlers, which Hydra changes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def completed(words: Sequence[str], checkpoint: Path) -> list[str]:
    """Return the words, and those of a short run into results/ that name other options."""
    named = {word.partition("=")[0] for word in words}
    common = short_words(checkpoint, "llada", Path("results"))
    return [*words, *(word for word in common if word.partition("=")[0] not in named)]


def run_here(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Line:
    """Return what `python run.py` with these words, carried out in this process, came to."""
    monkeypatch.setattr(sys, "argv", ["run.py", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
    monkeypatch.delenv("HYDRA_FULL_ERROR")
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / "run.py"), run_name="__main__")
    os.environ.pop("HYDRA_FULL_ERROR", None)
    status, captured = ended.value.code, capsys.readouterr()
    if isinstance(status, str):  # which the interpreter would print
        return Line(1, captured.out, captured.err + status)
    return Line(int(status or 0), captured.out, captured.err)


def run_in(folder: Path, words: list[str]) -> None:
    """Carry out `python run.py` with these words in a folder; its output goes to the file `said` there."""
    os.chdir(folder)
    # Without a commit, a change of the sources meanwhile cannot fail a test that resumes.
    os.environ |= {"GIT_DIR": os.devnull, FOLDER_VARIABLE: str(folder / "locks")}
    sys.argv = ["run.py", *words]
    with (folder / "said").open("a") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
        runpy.run_path(str(REPOSITORY / "run.py"), run_name="__main__")


def warm_processes() -> ForkServerContext:
    """Return a context whose processes are forks of one that has spent the seconds that importing takes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ssd.run.runner", "ssd.campaign.start", "ssd.tasks.tiny_math", "transformers"])
    return context


def folders(results: Path) -> list[Path]:
    """The runs in a results folder; references, which runs share, are none."""
    return sorted(path for path in results.iterdir() if path.is_dir() and path.name != FOLDER)
