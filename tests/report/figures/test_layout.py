"""Every figure in both widths, for few runs and many: nothing overlaps, is cut off, or smaller than seven points."""

import pytest
from matplotlib.figure import Figure

from ssd.report.figures import FIGURES, Entry
from tests.effort import LONG
from tests.report.figures.layout import faults

NEED_TIMES = {"pareto", "tree-speedup", "option-lines", "prediction", "latency"}
NEED_A_GRID = {"tree-speedup", "tree-forwards", "option-lines", "accuracy-forwards"}
NAMES = [entry.name for entry in FIGURES]
DRAWN = [entry for entry in FIGURES if entry.name != "published"]  # its own test has runs that are like published ones


def widths(first: int) -> list:
    """Figures, each in one width by turns that begin with `first`; in both widths in a long run."""
    return [
        pytest.param(entry, columns, id=f"{entry.name}-{columns}")
        for place, entry in enumerate(DRAWN)
        for columns in ((1, 2) if LONG else [(place + first) % 2 + 1])
    ]


@pytest.mark.parametrize(("entry", "columns"), widths(1))
@pytest.mark.slow
def test_of_one_run(entry: Entry, columns, one_run):
    figure = entry.draw(one_run, columns)
    if entry.name in NEED_A_GRID:
        assert figure is None
    else:
        assert faults(figure) == []


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "columns"), widths(0))
def test_of_a_campaign(entry: Entry, columns, campaign):
    assert faults(entry.draw(campaign, columns)) == []


@pytest.mark.slow
@pytest.mark.parametrize(("entry", "columns"), widths(1))
def test_of_long_names(entry: Entry, columns, long_names):
    assert faults(entry.draw(long_names, columns)) == []


@pytest.mark.slow
@pytest.mark.parametrize("entry", DRAWN, ids=lambda entry: entry.name)
def test_of_runs_that_were_not_timed(entry: Entry, untimed):
    figure = entry.draw(untimed, 1)
    if entry.name in NEED_TIMES:
        assert figure is None
    else:
        assert faults(figure) == []


@pytest.mark.parametrize("entry", FIGURES, ids=lambda entry: entry.name)
def test_of_nothing(entry: Entry, nothing, tmp_path):
    assert entry.draw(nothing) is None
    drawn = entry.write(nothing, tmp_path / "figures")
    assert (drawn.files, drawn.small_print) == ([], "")
    assert not (tmp_path / "figures").exists()


def test_names_differ_and_captions_are_one_sentence():
    assert len(set(NAMES)) == len(NAMES)
    for entry in FIGURES:
        assert entry.caption.endswith(".")
        assert ". " not in entry.caption


@pytest.mark.slow
def test_files_have_the_widths_of_columns_and_their_fonts_with_them(one_run, tmp_path):
    (entry,) = (entry for entry in FIGURES if entry.name == "acceptance-depth")
    files = entry.write(one_run, tmp_path).files
    assert [file.name for file in files] == [
        f"acceptance-depth-{columns}.{kind}" for columns in (1, 2) for kind in ("pdf", "png")
    ]
    for file, inches in zip(files[::2], (3.3, 6.9), strict=True):
        content = file.read_bytes()
        assert f"/MediaBox [ 0 0 {72 * inches:g} ".encode() in content
        assert b"/FontFile2" in content
        assert b"/Type3" not in content


def test_the_measurement_finds_faults():
    """What the tests above rely on: each kind of fault is seen."""
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.5, "under", fontsize=8)
    figure.text(0.12, 0.5, "over", fontsize=8)
    figure.text(0.9, 0.1, "beyond the edge", fontsize=8)
    figure.text(0.1, 0.9, "small", fontsize=5)
    found = " ".join(faults(figure))
    assert all(words in found for words in ("'under' overlaps 'over'", "edge' is cut off", "'small' is 5"))
