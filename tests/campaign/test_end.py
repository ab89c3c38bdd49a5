"""The end of a grid shows what can be read, and names what cannot."""

from ssd.campaign.end import end
from ssd.campaign.planned_run import Grid, PlannedRun
from tests.campaign.test_estimate import config


def test_damaged_files_of_finished_runs_are_named(tmp_path, capsys):
    runs = [PlannedRun("a", tmp_path, config(depth=depth), responses=1, stored=1, is_done=True) for depth in (1, 2)]
    for run, summary in zip(runs, ("{", '{"schema": 2}'), strict=True):
        run.folder.mkdir()
        (run.folder / "done.json").write_text("{}")
        (run.folder / "summary.json").write_text(summary)
    assert not end(Grid(runs, [0, 1], []), {})
    first, *others = capsys.readouterr().err.splitlines()
    assert first == "2 of 2 runs are not done:"
    torn, old = others
    assert torn.startswith(f"  ssd depth=1: {runs[0].folder / 'summary.json'}: cannot be read")
    assert "repeat the run's command, which makes it again from samples.jsonl" in torn
    assert old.startswith(f"  ssd depth=2: {runs[1].folder / 'summary.json'}: schema 2, this version reads schema 1")
