"""A decoder's own source belongs to the id of its runs; other files do not."""

import sys
from importlib import import_module, invalidate_caches
from pathlib import Path

import pytest

from baselines.apd import APD
from baselines.psd import ParallelSelfSpeculative
from baselines.rules.klass import KLASS
from baselines.stepwise import Stepwise
from ssd.config.plan import make_plan
from ssd.config.source import classes_of, source_files, source_of
from ssd.results.run_id import run_id
from tests.runs import composed

DECODER = """
from baselines.stepwise import Stepwise
from edited_rules import RULE
import edited_folder.deep

class Edited(Stepwise):
    rule = RULE
"""
FILES = {
    "edited_decoder.py": DECODER,
    "edited_rules.py": "RULE = 1\n\ndef later():\n    from edited_late import LATE\n    return LATE\n",
    "edited_late.py": "LATE = 1\n",
    "edited_folder/deep.py": "DEEP = 1\n",
    "edited_notes.py": "NOTES = 1\n",
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files of a user's own as a new process would import them; return the run id of their decoder."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**changed: str) -> str:
        for name in [name for name in sys.modules if name.startswith("edited_")]:
            del sys.modules[name]
        for name, text in (FILES | {name.replace("__", "/") + ".py": text for name, text in changed.items()}).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        invalidate_caches()
        return run_id(make_plan(composed("decoder=stepwise", "decoder._target_=edited_decoder.Edited")).config)

    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a file of equal size and time counts as compiled before
    yield write
    for name in [name for name in sys.modules if name.startswith("edited_")]:
        del sys.modules[name]


def test_an_edit_of_a_decoder_makes_another_run(write):
    first = write()
    assert write() == first
    assert write(edited_decoder=DECODER + "# a comment\n\n") == first
    assert write(edited_notes="NOTES = 2\n") == first
    ids = {first}
    ids.add(write(edited_decoder=DECODER + "    flag = True\n"))
    ids.add(write(edited_rules="RULE = 2\n"))
    ids.add(write(edited_late="LATE = 2\n"))
    ids.add(write(edited_folder__deep="DEEP = 2\n"))
    assert len(ids) == 5


def test_a_file_that_is_edited_after_its_import_is_the_imported_one(write, tmp_path):
    write()
    kind = import_module("edited_decoder").Edited
    before = source_of(kind)
    (tmp_path / "edited_decoder.py").write_text(DECODER + "    flag = True\n")
    assert source_of(kind) == before


def test_the_files_of_our_own_decoders():
    assert sorted(source_files(Stepwise)) == ["baselines.stepwise"]
    assert sorted(source_files(APD)) == ["baselines.apd", "baselines.coupling"]
    both = source_files(ParallelSelfSpeculative)
    assert {"baselines.psd", "baselines.fast_dllm", "ssd.speculation.decoder", "ssd.speculation.verify"} <= set(both)
    assert {name.rpartition(".")[0] for name in both} <= {"baselines", "baselines.rules", "ssd", "ssd.speculation"}
    assert "baselines.rules.klass" not in both
    assert set(source_files(*classes_of(ParallelSelfSpeculative(commit=KLASS())))) == {*both, "baselines.rules.klass"}
    assert all(isinstance(file, Path) for file in both.values())


def test_a_users_own_task_belongs_to_the_id_too(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "edited_task.py").write_text(
        "from ssd.tasks.tiny_math import TinyMath\n\nclass Edited(TinyMath):\n    pass\n"
    )
    config = make_plan(composed("task._target_=edited_task.Edited")).config
    del sys.modules["edited_task"]
    assert len(config["task"]["source_sha256"]) == 16
    assert "source_sha256" not in make_plan(composed()).config["task"]
