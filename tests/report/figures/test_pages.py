"""Figures of many groups, bare figures, and lines of speedup over an option."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from ssd.report.figures import FIGURES
from ssd.report.figures.style import PAGE_INCHES
from ssd.report.results import Results, load
from ssd.report.write import write_report
from tests.effort import some
from tests.report.figures.layout import faults, texts
from tests.report.synthetic import write_run

ENTRIES = {entry.name: entry for entry in FIGURES}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Sixteen models, and a decoder that nobody knows."""
    root = tmp_path_factory.mktemp("many")
    for number in range(16):
        for decoder in ("ssd", "mine"):
            write_run(root, decoder, f"model_{number:02d}", prompts=2, options={"depth": 2})
    return load(root)


def titles(figure) -> list[str]:
    return [axes.get_title(loc="left").partition(",")[0] for axes in figure.axes]


@pytest.mark.parametrize("name", some(["speed", "latency"], 2))
@pytest.mark.slow
def test_many_groups_are_drawn_on_pages(many: Results, name: str) -> None:
    pages = list(ENTRIES[name].pages(many, 1))
    assert len(pages) > 1
    assert max(page.get_figheight() for page in pages) <= PAGE_INCHES
    assert [title for page in pages for title in titles(page)] == [f"model_{number:02d}" for number in range(16)], (
        "each group once, in order"
    )
    assert [found for page in pages for found in faults(page)] == []


def test_pages_keep_the_titles_of_the_whole(tmp_path: Path) -> None:
    for device in ("one", "other"):
        write_run(tmp_path, "ssd", prompts=2, environment={"device_name": f"{device} device"})
    results = load(tmp_path)
    parts = [results.page(set(group.rows["run_id"])) for group in results.groups]
    assert [part.groups[0].title for part in parts] == [
        "llada_tiny, tiny_math, one device",
        "llada_tiny, tiny_math, other device",
    ]


@pytest.mark.slow
def test_bare_figures_have_their_text_in_a_file(tmp_path: Path) -> None:
    write_run(tmp_path / "results", "ssd", prompts=2)
    results = load(tmp_path / "results")
    told = "n: prompts"
    assert any(told in text.get_text() for text in texts(ENTRIES["speed"].draw(results)))
    assert not any(told in text.get_text() for text in texts(ENTRIES["speed"].draw(results, bare=True)))
    files = write_report(results, tmp_path / "out", ["speed"], bare=True)
    assert [file.name for file in files if file.suffix == ".tex"] == ["captions.tex"]
    (line,) = (tmp_path / "out" / "figures" / "captions.tex").read_text().splitlines()
    assert line.startswith(r"\newcommand{\captionSpeed}{\textbf{Speedup and forwards by decoder.} How many times less")
    assert "with 95 \\% intervals; n: prompts." in line


@pytest.mark.slow
def test_lines_hold_every_speedup_with_its_interval(tmp_path: Path) -> None:
    for depth in (1, 4, 16):
        for width in (1, 2):
            write_run(tmp_path, "ssd", prompts=3, options={"depth": depth, "width": width, "builder": "kary"})
    for threshold in (0.5, 0.9):
        write_run(tmp_path, "fast_dllm", prompts=3, options={"threshold": threshold})
    write_run(tmp_path, "psd", prompts=3)
    results = load(tmp_path)
    figure = ENTRIES["option-lines"].draw(results)
    assert faults(figure) == []
    trees, thresholds = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["depth", "threshold"]
    assert (trees.get_xscale(), thresholds.get_xscale()) == ("log", "linear")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["width=1", "width=2", "fast_dllm"]
    runs = results.done[results.done["decoder"] == "ssd"].sort_values(["config.decoder.width", "config.decoder.depth"])
    drawn = [line for line in trees.containers if isinstance(line, ErrorbarContainer)]
    assert np.ravel([line[0].get_ydata() for line in drawn]) == pytest.approx(runs["speedup.ratio"].to_numpy())
    ends = np.concatenate([bar.get_segments() for line in drawn for bar in line[2]])[:, :, 1]
    assert ends == pytest.approx(runs[["speedup.low", "speedup.high"]].to_numpy(dtype=float))


def test_decoders_without_a_number_that_varies_have_no_lines(tmp_path: Path) -> None:
    for rule in ("threshold", "factor"):
        write_run(tmp_path, "fast_dllm", prompts=2, options={"rule": rule})
    assert ENTRIES["option-lines"].draw(load(tmp_path)) is None
