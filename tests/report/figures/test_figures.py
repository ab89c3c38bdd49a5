"""That figures show what was stored: numbers read back from what was drawn, and sums worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from ssd.report.figures import FIGURES
from ssd.report.figures.intervals import wilson
from ssd.report.figures.pareto import FRONT
from ssd.report.figures.speed import MOST_TICKS, ticks
from ssd.report.results import load
from tests.report.figures.layout import faults, texts
from tests.report.synthetic import write_run

ENTRIES = {entry.name: entry for entry in FIGURES}


def test_a_run_that_was_not_timed_has_only_the_bar_of_its_forwards(tmp_path):
    """The legend and the small print name the speedup only where a run has one."""
    write_run(tmp_path, "ssd", prompts=3)
    write_run(tmp_path, "freedave", prompts=3, timed=False)
    results = load(tmp_path)
    figure = ENTRIES["speed"].draw(results)
    runs = results.runs.set_index("decoder")
    expected = [runs["speedup.ratio"]["ssd"], runs["nfe.ratio"]["ssd"], runs["nfe.ratio"]["freedave"]]
    bars = figure.axes[0].patches
    assert sorted(bar.get_x() + bar.get_width() for bar in bars) == pytest.approx(sorted(expected))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "speedup (wall clock)",
        "forwards saved (NFE)",
    ]
    assert figure.get_label().startswith("Ratio: the reference's time, and forwards, over the decoder's")
    figure = ENTRIES["speed"].draw(results.only({runs["run_id"]["freedave"]}))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["forwards saved (NFE)"]
    assert figure.get_label().startswith("Ratio: the reference's forwards over the decoder's")


@pytest.mark.parametrize("high", [1.6, 2.5, 3.9, 5])
def test_a_scale_of_ratios_has_few_marks_that_reach_its_upper_half(high):
    marks = ticks(0.8, high)
    assert 1 in marks
    assert len(marks) <= MOST_TICKS
    assert high / 2 <= max(marks) <= high


def test_locked_numerics_have_no_speedup(tmp_path):
    write_run(tmp_path, runtime={"numerics": "locked"}, prompts=3)
    results = load(tmp_path)
    assert results.samples["decoder.latency_s"].notna().all()
    assert [ENTRIES[name].draw(results) for name in ("pareto", "prediction", "latency")] == [None, None, None]


def test_a_front_of_one_point_is_drawn(one_run):
    (stair,) = (line for line in ENTRIES["pareto"].draw(one_run).axes[0].lines if line.get_zorder() == FRONT["zorder"])
    assert np.ptp(stair.get_xdata()) > 0
    assert np.ptp(stair.get_ydata()) > 0


def test_repeats_of_a_prompt_make_no_interval_narrower(tmp_path):
    write_run(tmp_path, prompts=3, repeats=4)
    (interval,) = ENTRIES["identity"].draw(load(tmp_path)).axes[0].collections
    (((low, _), (high, _)),) = interval.get_segments()
    assert (low, high) == pytest.approx([100 * bound for bound in wilson(3, 3)])


def test_verifications_that_committed_nothing_have_a_bar(tmp_path):
    file = write_run(tmp_path, prompts=2) / "samples.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        line["decoder"]["acceptance_lengths"] = [0, 2, 0, 3]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    bars = ENTRIES["acceptance-lengths"].draw(load(tmp_path)).axes[0].patches
    middles = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    assert middles == pytest.approx([0, 1, 2, 3])
    assert [bar.get_height() for bar in bars] == [0.5, 0, 0.25, 0.25]


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


@pytest.mark.slow
def test_drafts_that_were_held_back_are_counted_apart_from_confidences(tmp_path):
    """The ranking tells what confidences are, whatever their signs."""
    folder = write_run(tmp_path, prompts=2, traces=True)
    file = folder / "traces" / "000000-0.json"
    before = ENTRIES["acceptance-confidence"].draw(load(tmp_path)).axes[1].patches
    trace = json.loads(file.read_text())
    next(event["draft"] for event in trace["decoder"] if event["draft"])[0]["confidence"] = -1.8e308
    file.write_text(json.dumps(trace))
    rates, counts = ENTRIES["acceptance-confidence"].draw(load(tmp_path)).axes[:2]
    assert sum(bar.get_height() for bar in counts.patches) == sum(bar.get_height() for bar in before) - 1
    assert counts.get_xlabel() == "confidence"
    assert "1\N{NO-BREAK SPACE}held" in rates.get_title(loc="left")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["generation"]["ranking"] = "entropy"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert ENTRIES["acceptance-confidence"].draw(load(tmp_path)).axes[1].get_xlabel() == "exp(−entropy)"


@pytest.mark.slow
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
