"""Which runs stand side by side, what groups of them are called, and which runs stand for many."""

from ssd.report.figures.selection import FEW, extremes, fastest
from ssd.report.groups import groups
from ssd.report.results import load
from tests.report.synthetic import write_run


def test_other_machines_have_panels_of_their_own(tmp_path):
    for device in ("one machine", "another machine"):
        write_run(tmp_path, environment={"device_name": device}, prompts=3)
    one, other = groups(load(tmp_path).runs)
    assert ("one machine" in one.panel_title) is not ("one machine" in other.panel_title)
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


def test_a_run_that_was_not_timed_is_never_the_fastest(tmp_path):
    write_run(tmp_path, "ssd", options={"depth": 1}, prompts=3, gain_s=1.0)
    write_run(tmp_path, "ssd", options={"depth": 8}, prompts=3, timed=False)
    (group,) = groups(load(tmp_path).runs)
    (best,) = fastest(group)
    assert best.is_timed
    assert best.shown_for.split() == ["fastest", "of", "1", "timed"]
    (best,) = fastest(group.having(lambda run: not run.is_timed))
    assert best.shown_for == ""


def test_of_runs_that_were_not_timed_one_has_the_fewest_forwards_and_none_is_called_fast(untimed):
    (group,) = groups(untimed.runs)
    best = next(run for run in fastest(group) if run.decoder == "ssd")
    assert best.row["nfe.ratio"] == untimed.runs["nfe.ratio"][untimed.runs["decoder"] == "ssd"].max()
    assert best.shown_for.split() == ["least", "NFE", "of", "3"]


def test_names_may_hold_commas(tmp_path):
    write_run(tmp_path, model="one, two", prompts=3)
    (group,) = groups(load(tmp_path).runs)
    assert group.panel_title.startswith("one, two, tiny_math, n")
