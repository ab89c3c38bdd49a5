"""Every Python block of docs/python.md runs, in order and in one namespace."""

import re
from functools import partial

import pytest

import ssd
from tests.data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "python.md").read_text()


@pytest.mark.slow
def test_every_block_runs(tmp_path, checkpoints, monkeypatch):
    """`folder` stands for a folder of the reader's own, and random weights for the trained ones, which take longer."""
    monkeypatch.setattr(ssd, "load", partial(ssd.load, path=str(checkpoints["llada"])))
    namespace = {"folder": tmp_path}
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 8
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), namespace)
    assert (tmp_path / "trace.html").is_file()


def test_every_public_name_is_explained():
    assert [name for name in ssd.__all__ if f"`ssd.{name}`" not in PAGE] == []
