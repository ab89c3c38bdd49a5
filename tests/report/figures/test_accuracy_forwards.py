"""That accuracy against forwards shows every lossy run, those that coincide included."""

import json
from pathlib import Path

from matplotlib.collections import PathCollection

from ssd.report.figures import FIGURES
from ssd.report.results import load
from tests.report.synthetic import write_run

(ENTRY,) = (entry for entry in FIGURES if entry.name == "accuracy-forwards")


def test_a_line_joins_the_lossy_runs_of_a_decoder_by_their_forwards(tmp_path: Path) -> None:
    for threshold in (0.5, 0.9, 0.7):
        write_run(tmp_path, "fast_dllm", prompts=4, options={"threshold": threshold}, timed=False)
    write_run(tmp_path, "ssd", prompts=4)
    results = load(tmp_path)
    panel = ENTRY.draw(results).axes[0]
    joined, reference = panel.lines
    runs = results.runs[results.runs["decoder"] == "fast_dllm"]
    drawn = sorted(zip(joined.get_xdata(), joined.get_ydata(), strict=True))
    assert drawn == sorted(zip(runs["nfe.decoder"], 100 * runs["accuracy.decoder"], strict=True))
    assert list(joined.get_xdata()) == sorted(joined.get_xdata(), reverse=True)
    assert set(reference.get_ydata()) <= set(100 * results.runs["accuracy.reference"])
    assert f"reference: {runs['nfe.reference'].iloc[0]:.0f} forwards" in panel.get_title(loc="left").replace("\n", " ")
    assert ENTRY.draw(results.only(set(runs["run_id"][:1]))) is None


def test_a_line_joins_runs_of_one_commit_rule(tmp_path: Path) -> None:
    for rule, value in (
        ("eb.EntropyBounded", 0.1),
        ("eb.EntropyBounded", 1.0),
        ("klass.KLASS", 0.5),
        ("klass.KLASS", 0.9),
    ):
        commit = {"_target_": f"baselines.rules.{rule}", "value": value}
        write_run(tmp_path, "fast_dllm", prompts=4, options={"commit": commit}, timed=False)
    *joined, _ = ENTRY.draw(load(tmp_path)).axes[0].lines
    assert [len(line.get_xdata()) for line in joined] == [2, 2]


def test_markers_that_lie_upon_each_other_are_hollow_and_differ_in_width(tmp_path: Path) -> None:
    """Three runs of two decoders coincide; a fourth one is elsewhere."""
    for threshold, decoder in ((0.5, "fast_dllm"), (0.7, "fast_dllm"), (0.9, "wino"), (0.95, "wino")):
        folder = write_run(tmp_path, decoder, prompts=4, options={"threshold": threshold}, timed=False)
        summary = json.loads((folder / "summary.json").read_text())
        summary["nfe"]["decoder"], summary["accuracy"]["decoder"] = 20 if threshold == 0.95 else 4, 0.5
        (folder / "summary.json").write_text(json.dumps(summary))
    panel = ENTRY.draw(load(tmp_path)).axes[0]
    markers = [part for part in panel.collections if isinstance(part, PathCollection)]
    assert all(len(part.get_facecolor()) == 0 for part in markers)
    widths: dict[float, list[float]] = {}
    for part in markers:
        for (forwards, _), size in zip(part.get_offsets(), part.get_sizes(), strict=True):
            widths.setdefault(forwards, []).append(size)
    assert len(set(widths[4])) == len(widths[4]) == 3
    assert widths[20] == [min(widths[4])]
