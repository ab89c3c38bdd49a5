"""A user's own decoder and configuration, in a folder outside the checkout."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ssd.config.command_line import options
from ssd.config.plan import make_plan
from tests.effort import by_turns
from tests.lines import Line, own_logging, run_here
from tests.runs import composed

DECODER = '''
from baselines.stepwise import Stepwise

class Patient(Stepwise):
    """Stepwise decoding with an option."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience = patience
'''
SHORT = (
    "model=llada_tiny", "runtime.limit=1", "runtime.threads=1", "runtime.predict=false", "runtime.warmup=0",
    "generation.gen_length=16", "generation.block_length=8",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with patience.py and conf/decoder/patient.yaml."""
    (tmp_path / "patience.py").write_text(DECODER)
    own = tmp_path / "conf" / "decoder" / "patient.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("_target_: patience.Patient\nname: patient\nlossless: true\npatience: 3  # in days\n")
    return tmp_path


def words(folder: Path, kind: str) -> list[str]:
    own = folder / "conf"
    return [f"hydra.searchpath=[file://{own}]"] if kind == "searchpath" else ["--config-dir", str(own)]


@pytest.fixture
def call(folder, monkeypatch, capsys) -> Iterator[Callable[..., Line]]:
    """Runs `ssd-bench run` in the folder, which only the command itself puts on the path."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", sys.path[:])
    with own_logging():
        yield lambda *given: run_here(list(given), monkeypatch, capsys)
    sys.modules.pop("patience", None)


def assert_measured(folder: Path, line: Line) -> None:
    assert line.status == 0, line.errors
    (summary,) = folder.glob("results/patient-*/summary.json")
    assert json.loads(summary.read_text())["identity"]["rate"] == 1.0


@pytest.mark.parametrize(("kind", "grid"), by_turns(("searchpath", "config-dir"), (False, True)))
@pytest.mark.slow
def test_an_own_decoder_is_measured(folder, call, checkpoints, kind, grid):
    values = ["-m", "decoder.patience=4"] if grid else ["decoder.patience=4"]
    line = call(*words(folder, kind), "decoder=patient", *values, *SHORT, f"model.path={checkpoints['llada']}")
    assert_measured(folder, line)


@pytest.mark.parametrize("kind", ["searchpath", "config-dir"])
def test_an_own_option_is_known_to_errors_and_help(folder, call, kind):
    given = [*words(folder, kind), "decoder=patient"]
    assert "decoder.patience" in options(given)
    refused = call(*given, "decoder.patiense=1")
    assert "did you mean decoder.patience?" in refused.errors
    shown = call(*given, "--help").output
    assert "decoder.patience=3" in shown
    assert "in days" in shown


TASK = """
from pathlib import Path
from ssd.tasks.tiny_math import TinyMath

class Own(TinyMath):
    def __init__(self, path: str, name: str = "own") -> None:
        super().__init__(name)
        self.path, self.text = Path(path), "" if name == "own" else open(path).read()

    def documents(self, limit):
        return self.path.read_text()
"""


@pytest.mark.parametrize("name", ["own", "reads_at_once"])
@pytest.mark.parametrize("path", ["gone.jsonl", "/no/where/gone.jsonl"])
def test_a_missing_file_of_an_own_task_is_named_with_its_option(tmp_path, monkeypatch, name, path):
    (tmp_path / "missing_file_task.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    config = composed()
    config.task = {"_target_": "missing_file_task.Own", "name": name, "path": path}
    message = rf"^task\.path={path}: No such file or directory; pass task\.path=FILE$"
    with pytest.raises(FileNotFoundError, match=message):
        make_plan(config)
