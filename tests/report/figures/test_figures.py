"""That figures show what was stored: numbers read back from what was drawn, and sums worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from ssd.report import load
from ssd.report.figures import FIGURES
from ssd.report.figures.selection import FEW, extremes, fastest, groups
from tests.report.figures.layout import faults, texts
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


def test_a_run_that_was_not_timed_has_only_the_bar_of_its_forwards(tmp_path):
    write_run(tmp_path, "ssd", prompts=3)
    write_run(tmp_path, "freedave", prompts=3, timed=False)
    results = load(tmp_path)
    bars = ENTRIES["speed"].draw(results).axes[0].patches
    runs = results.runs.set_index("decoder")
    expected = [runs["speedup.ratio"]["ssd"], runs["nfe.ratio"]["ssd"], runs["nfe.ratio"]["freedave"]]
    assert sorted(bar.get_x() + bar.get_width() for bar in bars) == pytest.approx(sorted(expected))


def test_locked_numerics_have_no_speedup(tmp_path):
    write_run(tmp_path, runtime={"numerics": "locked"}, prompts=3)
    results = load(tmp_path)
    assert results.runs["speedup.ratio"].notna().all()
    assert ENTRIES["pareto"].draw(results) is ENTRIES["prediction"].draw(results) is None


def test_other_machines_have_panels_of_their_own(tmp_path):
    for device in ("one machine", "another machine"):
        write_run(tmp_path, environment={"device_name": device}, prompts=3)
    one, other = groups(load(tmp_path).runs)
    assert ("one machine" in one.title) is not ("one machine" in other.title)
    assert len(one.runs) == len(other.runs) == 1


def test_of_many_settings_the_fastest_and_the_slowest_stand_for_all(tmp_path):
    for depth in range(1, FEW + 2):
        write_run(tmp_path, options={"depth": depth}, prompts=3)
    results = load(tmp_path)
    (group,) = groups(results.runs)
    speedups = results.runs["speedup.ratio"]
    assert [run.row["speedup.ratio"] for run in extremes(group)] == [speedups.max(), speedups.min()]
    (best,) = fastest(group)
    assert best.row["speedup.ratio"] == speedups.max()
    assert best.shown_for.split() == ["fastest", "of", str(FEW + 1)]
    few = group.having(lambda run: run.row["config.decoder.depth"] <= FEW)
    assert len(extremes(few)) == FEW


def test_acceptance_bars_are_the_stored_rates_and_lengths(one_run):
    rates = one_run.runs["acceptance_length.rate_by_depth"][0]
    bars = ENTRIES["acceptance-depth"].draw(one_run).axes[0].patches
    assert [bar.get_height() for bar in bars] == rates
    lengths = [length for stored in one_run.samples["decoder.acceptance_lengths"] for length in stored]
    panel = ENTRIES["acceptance-lengths"].draw(one_run).axes[0]
    shares = [bar.get_height() for bar in panel.patches]
    assert shares == pytest.approx([lengths.count(length) / len(lengths) for length in range(1, max(lengths) + 1)])
    assert f"mean\N{NO-BREAK SPACE}{np.mean(lengths):.2f}" in panel.get_title(loc="left").replace("\n", " ")


def test_acceptance_against_confidence_counts_every_draft_once(one_run):
    forwards = one_run.forwards()
    drafts = forwards[forwards["side"] == "decoder"]
    confidences = np.concatenate(drafts["draft_confidences"].to_list())
    accepted = np.concatenate(drafts["draft_accepted"].to_list()).astype(bool)
    rates, counts = ENTRIES["acceptance-confidence"].draw(one_run).axes[:2]
    tried = np.array([bar.get_height() for bar in counts.patches])
    expected, _ = np.histogram(confidences, bins=10, range=(0, 1))
    right, _ = np.histogram(confidences[accepted], bins=10, range=(0, 1))
    assert tried.tolist() == expected.tolist()
    assert rates.lines[0].get_ydata() == pytest.approx(right[expected > 0] / expected[expected > 0])


def test_published_stands_beside_measured_only_where_both_are_alike(tmp_path):
    folder = write_run(tmp_path, "fast_dllm", "llada", "gsm8k", prompts=3)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["task"]["num_fewshot"] = 5
    config["model"]["path"] = "GSAI-ML/LLaDA-8B-Instruct"
    for cache, length, alike in (("prefix", 256, True), ("dual", 256, False), ("prefix", 64, False)):
        config["generation"] |= {"gen_length": length, "block_length": 32, "cache": cache}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        results = load(tmp_path)
        for columns in (1, 2):
            figure = ENTRIES["published"].draw(results, columns)
            assert (figure is not None) is alike
            if alike:
                assert faults(figure) == []
                told = " ".join(text.get_text() for text in texts(figure)).replace("\n", " ")
                assert "2505.22618" in told
                assert "H100" in told


def test_nothing_is_drawn_of_what_a_model_wrote(tmp_path: Path):
    """A dollar sign in a name is no mathematics, and cannot break a figure."""
    write_run(tmp_path, model="a$b_{$", prompts=3)
    assert faults(ENTRIES["speed"].draw(load(tmp_path))) == []
