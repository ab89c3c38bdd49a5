"""The notebook docs/tour.ipynb runs from its first cell to its last."""

import pytest

from tests.data import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "tour.ipynb"


def test_it_is_stored_without_outputs():
    text = NOTEBOOK.read_text()
    assert '"outputs": []' in text
    assert '"output_type"' not in text
    assert str(REPOSITORY) not in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the notebook's libraries warn about their own event loops
def test_it_runs(monkeypatch, checkpoints):
    """With random weights in place of the trained ones, which take three times as long."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    preparation = f"import functools, ssd; ssd.load = functools.partial(ssd.load, path={str(checkpoints['llada'])!r})"
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    first.source = f"{preparation}\n{first.source}"
    nbclient.NotebookClient(notebook, timeout=300, startup_timeout=300, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [kind for output in outputs for kind in output.get("data", {})]
    assert shown.count("image/png") == 1
    assert shown.count("text/html") == 3
    assert "same ids: True" in "".join(output.get("text", "") for output in outputs)
