"""The notebook docs/tour.ipynb runs from its first cell to its last."""

import json
from functools import partial

import pytest
from traitlets.config import Config

import ssd
from tests.data import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "tour.ipynb"


def test_it_is_stored_without_outputs():
    text = NOTEBOOK.read_text()
    assert '"outputs": []' in text
    assert '"output_type"' not in text
    assert str(REPOSITORY) not in text


@pytest.fixture
def shell(monkeypatch, tmp_path):
    """The shell that a notebook's kernel wraps, which keeps what is displayed in `display_pub.outputs`."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    capture = pytest.importorskip("IPython.core.displaypub")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setattr(shells.InteractiveShell, "enable_gui", lambda self, gui=None: None)
    shell = shells.InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.display_pub = capture.CapturingDisplayPublisher()
    shell.enable_matplotlib("inline")
    yield shell
    shells.InteractiveShell.clear_instance()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the notebook's libraries
def test_it_runs(shell, monkeypatch, checkpoints, capsys):
    """With random weights in place of the trained ones, which take longer."""
    monkeypatch.setattr(ssd, "load", partial(ssd.load, path=str(checkpoints["llada"])))
    shown = []
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            done = shell.run_cell("".join(cell["source"]))
            done.raise_error()
            shown += shell.display_formatter.format(done.result)[0]
    shown += [kind for output in shell.display_pub.outputs for kind in output["data"]]
    assert shown.count("image/png") == 1
    assert shown.count("text/html") == 3
    assert "same ids: True" in capsys.readouterr().out
