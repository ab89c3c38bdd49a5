"""Maps over depth and width: one for what was asked alike, and in each cell one run."""

from itertools import product
from pathlib import Path

import pytest
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd.report.figures import FIGURES
from ssd.report.results import load
from tests.effort import by_turns
from tests.report.figures.layout import faults
from tests.report.synthetic import write_run

ENTRIES = {entry.name: entry for entry in FIGURES}


def test_a_tree_grid_shows_every_speedup_and_leaves_blank_what_was_not_run(tmp_path):
    for depth, width in ((1, 1), (4, 1), (4, 2)):
        write_run(tmp_path, options={"depth": depth, "width": width, "builder": "kary"}, prompts=3)
    results = load(tmp_path)
    for name, figure in (("speedup.ratio", "tree-speedup"), ("nfe.ratio", "tree-forwards")):
        panel = ENTRIES[figure].draw(results).axes[0]
        shown = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in panel.texts}
        stored = {
            (row["config.decoder.depth"], row["config.decoder.width"]): row[name] for _, row in results.runs.iterrows()
        }
        places = {(1, 1): (0.5, 0.5), (4, 1): (1.5, 0.5), (4, 2): (1.5, 1.5)}
        assert shown == {places[key]: f"{value:.2f}" for key, value in stored.items()}


@pytest.mark.slow
def test_the_shipped_grid_of_trees_is_one_map(tmp_path):
    """Its trees of width 1 are chains."""
    sweep = yaml.safe_load(Path("conf/experiment/tree_grid.yaml").read_text())["hydra"]["sweeper"]["params"]
    depths, widths = ([int(word) for word in sweep[f"decoder.{name}"].split(",")] for name in ("depth", "width"))
    for depth, width in product(depths, widths):
        builder = "chain" if width == 1 else "best_first"
        write_run(tmp_path, options={"depth": depth, "width": width, "builder": builder}, prompts=2)
    results = load(tmp_path)
    for name, columns in by_turns(("tree-speedup", "tree-forwards"), (1, 2)):
        figure = ENTRIES[name].draw(results, columns)
        assert faults(figure) == []
        assert [len(panel.texts) for panel in _maps(figure)] == [len(depths) * len(widths)]
        assert "Width 1: a chain." in figure.get_supxlabel()


def test_a_builder_with_trees_of_width_1_needs_no_chains(tmp_path):
    for builder, width in (("chain", 1), ("best_first", 1), ("best_first", 2)):
        for depth in (1, 4):
            write_run(tmp_path, options={"depth": depth, "width": width, "builder": builder}, prompts=2)
    figure = ENTRIES["tree-forwards"].draw(load(tmp_path))
    assert sorted(len(panel.texts) for panel in _maps(figure)) == [2, 4]
    assert "a chain" not in figure.get_supxlabel()


def test_a_tree_whose_width_is_not_stored_is_not_of_width_1(tmp_path):
    for depth in (1, 4):
        write_run(tmp_path, options={"depth": depth, "width": None, "builder": "best_first"}, prompts=2)
    assert ENTRIES["tree-forwards"].draw(load(tmp_path)) is None


def test_a_budget_that_is_set_in_some_runs_hides_none(tmp_path):
    for depth, budget in product((1, 4), (None, 9)):
        options = {"depth": depth, "width": 2, "builder": "best_first", "budget": budget, "_target_": f"of.{budget}"}
        write_run(tmp_path, options=options, prompts=2)
    maps = _maps(ENTRIES["tree-forwards"].draw(load(tmp_path)))
    assert [len(panel.texts) for panel in maps] == [2, 2]
    titles = [panel.get_title(loc="left").replace("\n", " ").partition(": ")[2] for panel in maps]
    assert sorted(titles) == ["ssd", "ssd budget=9"]


def test_a_cell_is_never_a_mean_of_different_code(tmp_path):
    for depth, commit in product((1, 4), "ab"):
        options = {"depth": depth, "width": 1, "builder": "chain"}
        write_run(tmp_path, options=options, environment={"commit": commit * 40}, prompts=2)
    results = load(tmp_path)
    maps = _maps(ENTRIES["tree-speedup"].draw(results))
    assert ["code=" in panel.get_title(loc="left") for panel in maps] == [True, True]
    shown = [text.get_text() for panel in maps for text in panel.texts]
    assert sorted(shown) == sorted(f"{speedup:.2f}" for speedup in results.runs["speedup.ratio"])


def _maps(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.texts]
