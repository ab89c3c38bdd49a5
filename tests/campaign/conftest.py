"""run.py in this very process, as often as a test likes."""

import logging
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ssd.modeling.config import Family
from ssd.results.reference_cache import FOLDER
from tests.data import REPOSITORY
from tests.runs import short_words


class Line(NamedTuple):
    """What a line of the shell came to."""

    status: int | str | None
    output: str
    errors: str


@pytest.fixture
def line(
    checkpoints: dict[Family, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Line]]:
    """Runs `python run.py` with these words on a random model, three prompts each, into tmp_path/results."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
    monkeypatch.delenv("HYDRA_FULL_ERROR")

    def call(*words: str) -> Line:
        common = [word for word in short_words(checkpoints["llada"], "llada", Path("results")) if word not in words]
        named = {word.partition("=")[0] for word in words}
        common = [word for word in common if word.partition("=")[0] not in named]
        monkeypatch.setattr(sys, "argv", ["run.py", *words, *common])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / "run.py"), run_name="__main__")
        os.environ.pop("HYDRA_FULL_ERROR", None)
        status = ended.value.code
        captured = capsys.readouterr()
        if isinstance(status, str):  # which the interpreter would print
            return Line(1, captured.out, captured.err + status)
        return Line(int(status or 0), captured.out, captured.err)

    yield call
    root.handlers[:], root.level = handlers, level


def folders(results: Path) -> list[Path]:
    """The runs in a results folder; references, which runs share, are none."""
    return sorted(path for path in results.iterdir() if path.is_dir() and path.name != FOLDER)
